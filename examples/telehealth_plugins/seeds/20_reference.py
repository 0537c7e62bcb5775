"""Partner pharmacies and where they are; treatment plans and what they are for."""

from collections.abc import Iterator

from seedframe import Db, Resource, Rows, ref

REQUIRES = ["iso", "icd10"]


def resources() -> Iterator[Resource]:
    """Ids are looked up by the codes that people know."""
    yield Rows(
        "pharmacies",
        key="code",
        rows=[
            {
                "code": "telehealth-pharmacy-partners",
                "name": "TeleHealth Pharmacy Partners",
                "country_id": ref("countries", alpha_2="US"),
                "state_id": ref("subdivisions", code="US-TX"),
            },
            {
                "code": "national-compounding-pharmacy",
                "name": "National Compounding Pharmacy",
                "country_id": ref("countries", alpha_2="US"),
                "state_id": ref("subdivisions", code="US-OH"),
            },
        ],
    )
    yield Rows(
        "treatment_plans",
        key="slug",
        rows=[
            {"slug": "weight-loss-starter", "name": "Weight Loss Starter"},
            {"slug": "hair-loss-essential", "name": "Hair Loss Essential"},
            {"slug": "ed-essential", "name": "ED Essential"},
        ],
    )
    yield Rows(
        "indications",
        key=["treatment_plan", "icd10_code_id"],
        rows=[
            {"treatment_plan": plan, "icd10_code_id": ref("icd10_codes", code=code)}
            for plan, code in [
                ("weight-loss-starter", "E66"),  # obesity
                ("hair-loss-essential", "L64"),  # androgenic alopecia
                ("ed-essential", "N48.4"),  # impotence of organic origin
            ]
        ],
    )


def verify(db: Db) -> Iterator[str]:
    """No plan without an indication."""
    for plan in db.rows("select slug from treatment_plans except select treatment_plan from indications order by 1"):
        yield f"treatment plan {plan['slug']} is for nothing that ICD-10 knows"
