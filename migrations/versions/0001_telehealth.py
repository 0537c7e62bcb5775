"""The telehealth platform's tables: people, what consultations cost, what is prescribed, and who dispenses it."""

from typing import Final

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES: Final = ("users", "consultation_settings", "medications", "pharmacies", "treatment_plans")

TYPES: Final = {
    "user_role": "'patient', 'provider', 'pharmacist', 'support', 'admin', 'super_admin'",
    "consultation_type": "'initial', 'follow_up', 'asynchronous', 'lab_review'",
    "treatment_category": "'weight_loss', 'erectile_dysfunction', 'hair_loss', 'longevity'",
    "medication_form": (
        "'injection', 'tablet', 'extended_release_tablet', 'capsule', 'topical_solution', 'topical_foam'"
    ),
    "pharmacy_tier": "'primary', 'secondary'",
    "billing_interval": "'once', 'monthly', 'quarterly'",
}

USERS: Final = """
create table users (
    id uuid primary key default gen_random_uuid(),
    email text not null check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    password_hash text check (password_hash <> ''), -- null where Supabase Auth keeps the password
    first_name text not null check (first_name <> ''),
    last_name text not null check (last_name <> ''),
    role user_role not null default 'patient',
    is_active boolean not null default true,
    email_verified boolean not null default false,
    phone text,
    time_zone text not null default 'UTC',
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)
"""

# One address, one person, however it is spelled.
USERS_EMAIL: Final = "create unique index users_email_key on users (lower(email))"
USERS_ROLE: Final = "create index users_role_idx on users (role) where is_active"

CONSULTATION_SETTINGS: Final = """
create table consultation_settings (
    id bigint generated always as identity primary key,
    consultation_type consultation_type not null unique,
    title text not null,
    price numeric(10, 2) not null check (price >= 0),
    currency char(3) not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
    duration_minutes smallint check (duration_minutes between 5 and 180),
    card_on_file_required boolean not null default true,
    no_show_fee numeric(10, 2) not null default 0 check (no_show_fee >= 0),
    cancellation_notice interval not null default '24 hours' check (cancellation_notice >= interval '0'),
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint consultation_settings_fee_needs_card check (no_show_fee = 0 or card_on_file_required)
)
"""

MEDICATIONS: Final = """
create table medications (
    id bigint generated always as identity primary key,
    sku text not null unique check (sku ~ '^[A-Z0-9]+(-[A-Z0-9]+)*$'),
    name text not null,
    brand_reference text,
    category treatment_category not null,
    form medication_form not null,
    strength text not null,
    quantity integer not null check (quantity > 0),
    quantity_unit text not null,
    days_supply smallint not null check (days_supply > 0),
    dosage_instructions text not null,
    price numeric(10, 2) not null check (price > 0),
    requires_prescription boolean not null default true,
    requires_cold_chain boolean not null default false,
    required_labs text[] not null default '{}',
    contraindications text[] not null default '{}',
    requirements jsonb not null default '{}' check (jsonb_typeof(requirements) = 'object'),
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint medications_product_key unique (name, form, strength, quantity)
)
"""
MEDICATIONS_CATEGORY: Final = "create index medications_category_idx on medications (category) where active"

PHARMACIES: Final = """
create table pharmacies (
    id uuid primary key default gen_random_uuid(),
    code text not null unique check (code ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name text not null unique,
    tier pharmacy_tier not null,
    phone text not null,
    fax text,
    email text not null,
    address_line1 text not null,
    address_line2 text,
    city text not null,
    state char(2) not null check (state ~ '^[A-Z]{2}$'),
    postal_code text not null check (postal_code ~ '^[0-9]{5}(-[0-9]{4})?$'),
    license_states text[] not null
        check (array_to_string(license_states, ',', '?') ~ '^[A-Z]{2}(,[A-Z]{2})*$'),
    capabilities jsonb not null default '{}' check (jsonb_typeof(capabilities) = 'object'),
    shipping_fee numeric(10, 2) not null default 0 check (shipping_fee >= 0),
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)
"""
# Orders go to the primary pharmacy unless something speaks against it, so there cannot be two.
PHARMACIES_PRIMARY: Final = (
    "create unique index pharmacies_one_primary on pharmacies (tier) where tier = 'primary' and active"
)

TREATMENT_PLANS: Final = """
create table treatment_plans (
    id uuid primary key default gen_random_uuid(),
    slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name text not null unique,
    category treatment_category not null,
    description text not null,
    medication_id bigint not null references medications on delete restrict,
    price numeric(10, 2) not null check (price >= 0),
    billing_interval billing_interval not null default 'monthly',
    duration_weeks smallint not null check (duration_weeks between 1 and 104),
    includes text[] not null default '{}',
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
)
"""
TREATMENT_PLANS_MEDICATION: Final = "create index treatment_plans_medication_id_idx on treatment_plans (medication_id)"

TOUCH: Final = """
create function touch_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end
$$
"""


def upgrade() -> None:
    for name, labels in TYPES.items():
        op.execute(f"create type {name} as enum ({labels})")
    for statement in (
        USERS,
        USERS_EMAIL,
        USERS_ROLE,
        CONSULTATION_SETTINGS,
        MEDICATIONS,
        MEDICATIONS_CATEGORY,
        PHARMACIES,
        PHARMACIES_PRIMARY,
        TREATMENT_PLANS,
        TREATMENT_PLANS_MEDICATION,
        TOUCH,
    ):
        op.execute(statement)
    for table in TABLES:
        op.execute(
            f"create trigger {table}_touch before update on {table} for each row "
            "when (old.* is distinct from new.*) execute function touch_updated_at()"
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"drop table {table}")
    op.execute("drop function touch_updated_at()")
    for name in reversed(TYPES):
        op.execute(f"drop type {name}")
