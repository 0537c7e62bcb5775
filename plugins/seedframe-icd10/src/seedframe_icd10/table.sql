create table if not exists icd10_codes (
    id integer generated always as identity primary key,
    code text not null unique, -- II, C00-C97, C50, C50.1
    kind text not null check (kind in ('chapter', 'block', 'category', 'subcategory')),
    title text not null,
    parent_id integer references icd10_codes,
    is_leaf boolean not null
);
create index if not exists icd10_codes_parent_id on icd10_codes (parent_id);
