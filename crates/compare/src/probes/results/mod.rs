mod bit_types;
mod catalog_as_string;
mod datetime_as_string;
mod decimal_types;
mod duplicate_column_names;
mod emoji_round_trip;
mod enum_and_set;
mod error_codes;
mod error_kind;
mod error_source;
mod errors;
mod float_as_f64;
mod inserted;
mod integer_as_bool;
mod integer_as_narrower;
mod integer_as_string;
mod json_as_string;
mod last_insert_id_of_auto_random;
mod last_insert_id_of_given_id;
mod last_insert_id_of_many;
mod last_insert_id_of_upsert;
mod missing_column_name;
mod null_as_value;
mod pipes_in_sql;
mod reading;
mod session;
mod session_collation;
mod session_settings;
mod session_time_zone;
mod space_before_parenthesis;
mod sum_as_i64;
mod text_and_bytes;
mod text_of_binary_collation;
mod time_of_many_hours;
mod timestamp_between_zones;
mod tinyint_as_bool;
mod unchanged_row_affected;
mod unsigned_above_i64;
mod unsigned_as_i64;
mod upsert_affected;
mod vector_types;
mod warnings;
mod zero_date;

use crate::probe::{Chapter, Declined, probes};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "results",
    title: "Results and types",
    probes: probes![
        unchanged_row_affected
        upsert_affected
        last_insert_id_of_many
        last_insert_id_of_auto_random
        last_insert_id_of_given_id
        last_insert_id_of_upsert
        null_as_value
        unsigned_above_i64
        unsigned_as_i64
        integer_as_narrower
        integer_as_string
        decimal_types
        sum_as_i64
        float_as_f64
        session_time_zone
        timestamp_between_zones
        datetime_as_string
        zero_date
        time_of_many_hours
        tinyint_as_bool
        integer_as_bool
        bit_types
        enum_and_set
        json_as_string
        vector_types
        emoji_round_trip
        session_collation
        text_and_bytes
        text_of_binary_collation
        catalog_as_string
        duplicate_column_names
        missing_column_name
        warnings
        pipes_in_sql
        space_before_parenthesis
        session_settings
        error_codes
        error_kind
        error_source
    ],
    declined: &[
        Declined {
            id: "timestamp_in_the_servers_zone",
            question: "The server's own zone is not UTC: which instant does each driver's TIMESTAMP become?",
            reason: "A comparison changes no global setting of the server's; `session_time_zone` shows which sessions \
                     follow it.",
        },
        Declined {
            id: "dates_and_decimals_as_types_of_crates",
            question: "As what do DATETIME, DECIMAL and JSON come with the drivers' features for chrono, time, \
                       rust_decimal, bigdecimal and json?",
            reason: "This program is built without these features, and whoever switches one on does so for all that it \
                     links: what comes without them is what is shown.",
        },
    ],
};
