"""What is prescribed, who dispenses it, and the plans that patients start with."""

from collections.abc import Iterator

from seedframe import Db, Resource, Rows, Tables, ref

REQUIRES = ["core"]
TAGS = ["catalogue"]


def resources() -> Iterator[Resource]:
    yield Rows("medications", key="sku", file="data/medications.csv")
    yield Rows("pharmacies", key="code", file="data/pharmacies.json")
    yield Tables("treatment_plans", required=False)
    yield Rows(
        "treatment_plans",
        key="slug",
        initial=["price"],  # from then on, prices are set in the back office
        rows=[
            {
                "slug": "weight-loss-starter",
                "name": "Weight Loss Starter",
                "category": "weight_loss",
                "description": "Four weeks of semaglutide at the starting dose, with a video visit and lab work",
                "medication_id": ref("medications", sku="SEMA-025"),
                "price": "299.00",
                "billing_interval": "monthly",
                "duration_weeks": 12,
                "includes": ["video consultation", "lab work", "cold-chain shipping"],
            },
            {
                "slug": "hair-loss-essential",
                "name": "Hair Loss Essential",
                "category": "hair_loss",
                "description": "Three months of finasteride, reviewed from photos",
                "medication_id": ref("medications", sku="FINA-001-90"),
                "price": "75.00",
                "billing_interval": "quarterly",
                "duration_weeks": 52,
                "includes": ["questionnaire review", "photo review", "shipping"],
            },
            {
                "slug": "ed-essential",
                "name": "ED Essential",
                "category": "erectile_dysfunction",
                "description": "Ten sildenafil tablets a month, reviewed from a questionnaire",
                "medication_id": ref("medications", sku="SILD-050"),
                "price": "65.00",
                "billing_interval": "monthly",
                "duration_weeks": 26,
                "includes": ["questionnaire review", "shipping"],
            },
        ],
    )


def verify(db: Db) -> Iterator[str]:
    for row in db.rows("select name from medications group by name having not bool_or(active) order by name"):
        yield f"{row['name']} cannot be prescribed: none of its products is active"
    if not db.scalar("select exists (select from pharmacies where tier = 'primary' and active)"):
        yield "no active primary pharmacy: orders have nowhere to go"
