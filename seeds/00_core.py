"""What everything else stands on: the tables, the extensions, and what a consultation costs."""

from collections.abc import Iterator

from seedframe import Db, Extension, Resource, Rows, Tables


def resources() -> Iterator[Resource]:
    yield Tables(
        "users",
        "consultation_settings",
        "medications",
        "pharmacies",
        hint="run migrations first: seedframe db init",
    )
    yield Extension("pgcrypto", required=False)
    yield Extension("uuid-ossp", required=False)
    yield Rows(
        "consultation_settings",
        key="consultation_type",
        initial=["price", "no_show_fee"],  # defaults: from then on, prices are set in the back office
        rows=[
            {
                "consultation_type": "initial",
                "title": "First consultation",
                "price": "79.00",
                "no_show_fee": "25.00",
                "duration_minutes": 30,
                "cancellation_notice": "24 hours",
                "card_on_file_required": True,
            },
            {
                "consultation_type": "follow_up",
                "title": "Follow-up consultation",
                "price": "49.00",
                "no_show_fee": "25.00",
                "duration_minutes": 15,
                "cancellation_notice": "24 hours",
                "card_on_file_required": True,
            },
            {
                "consultation_type": "asynchronous",
                "title": "Questionnaire reviewed by a provider",
                "price": "25.00",
                "no_show_fee": "0.00",
                "duration_minutes": None,
                "cancellation_notice": "0 hours",
                "card_on_file_required": True,
            },
            {
                "consultation_type": "lab_review",
                "title": "Discussion of lab results",
                "price": "0.00",
                "no_show_fee": "0.00",
                "duration_minutes": 15,
                "cancellation_notice": "4 hours",
                "card_on_file_required": False,
            },
        ],
    )


def verify(db: Db) -> Iterator[str]:
    for row in db.rows(
        "select consultation_type, price from consultation_settings"
        " where active and price > 0 and not card_on_file_required order by consultation_type"
    ):
        yield f"{row['consultation_type']} costs {row['price']} but requires no card on file"
