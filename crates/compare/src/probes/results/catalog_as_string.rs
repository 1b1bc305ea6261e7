use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Names from the catalog: can they be read as a String?",
    meaning: "Where one is refused, CAST(… AS CHAR) helps: servers give some of these names as binary.",
    setup: &["CREATE TABLE t (n INT)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("SHOW", "SHOW TABLES").await?;
    reading
        .read::<String>(
            "TABLE_NAME",
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
        )
        .await?;
    reading
        .read::<String>(
            "COLUMN_NAME",
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()",
        )
        .await?;
    Ok(reading.answer())
}
