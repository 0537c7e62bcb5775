create table if not exists countries ( -- ISO 3166-1
    id integer generated always as identity primary key,
    alpha_2 char(2) not null unique,
    alpha_3 char(3) not null, -- the key alone is unique: a retired row keeps codes that ISO gives to its successor
    numeric_code char(3) not null,
    name text not null,
    common_name text, -- where it differs: Bolivia
    official_name text,
    flag text not null
);

create table if not exists subdivisions ( -- ISO 3166-2
    id integer generated always as identity primary key,
    code text not null unique,
    name text not null,
    type text not null,
    country_id integer not null references countries,
    parent_id integer references subdivisions
);
create index if not exists subdivisions_country_id on subdivisions (country_id);
create index if not exists subdivisions_parent_id on subdivisions (parent_id);

create table if not exists currencies ( -- ISO 4217
    id integer generated always as identity primary key,
    alpha_3 char(3) not null unique,
    numeric_code char(3) not null, -- ANG had that of XCG
    name text not null
);

create table if not exists languages ( -- ISO 639-3
    id integer generated always as identity primary key,
    alpha_3 char(3) not null unique,
    alpha_2 char(2), -- ISO 639-1, of the 184 languages that have one
    bibliographic char(3), -- ISO 639-2/B, where it differs
    name text not null,
    common_name text,
    inverted_name text,
    scope char(1) not null, -- individual, macrolanguage, special
    type char(1) not null -- ancient, constructed, extinct, historical, living, special
);

create table if not exists historic_countries ( -- ISO 3166-3; only where include names them
    id integer generated always as identity primary key,
    alpha_4 char(4) not null unique,
    alpha_2 char(2) not null, -- may be another country's today
    alpha_3 char(3) not null,
    numeric_code char(3),
    name text not null,
    withdrawal_date text not null, -- a year, or a date
    comment text
);
