-- The plugins' tables: what `python -m seedframe_iso` and `python -m seedframe_icd10` print, less what is not wanted here.

create table if not exists countries (
    id integer generated always as identity primary key,
    alpha_2 char(2) not null unique,
    alpha_3 char(3) not null unique,
    numeric_code char(3) not null unique,
    name text not null,
    common_name text,
    official_name text,
    flag text not null
);

create table if not exists subdivisions (
    id integer generated always as identity primary key,
    code text not null unique,
    name text not null,
    type text not null,
    country_id integer not null references countries,
    parent_id integer references subdivisions
);

create table if not exists icd10_codes (
    id integer generated always as identity primary key,
    code text not null unique,
    kind text not null,
    title text not null,
    parent_id integer references icd10_codes
);

-- The platform's own tables, which refer to these.

create table if not exists pharmacies (
    code text primary key,
    name text not null,
    country_id integer not null references countries,
    state_id integer references subdivisions
);

create table if not exists treatment_plans (
    slug text primary key,
    name text not null
);

create table if not exists indications (
    treatment_plan text not null references treatment_plans,
    icd10_code_id integer not null references icd10_codes,
    primary key (treatment_plan, icd10_code_id)
);
