//! What a refusal says.

use std::{error::Error as StdError, iter, sync::Arc};

use tidb_connect_core::{
    Error, ErrorKind, Outcome, Result as StoreResult,
    players::{MemoryStore, NewPlayer, Player, Trade, sql::MAX_ROWS},
};

use super::{ABSENT, schema, table};
use crate::{
    Failure, Store,
    failure::{chain, equal, holds},
};

/// A refused call: what was tried, by which operation, and what came.
struct Refusal {
    what: String,
    operation: &'static str,
    error: Error,
}

/// One refusal of every sort that can be brought about at will.
async fn refusals(store: &Store) -> Result<Vec<Refusal>, Failure> {
    let mut results: Vec<(&str, &str, StoreResult<()>)> = Vec::new();
    results.push(("without a table", "drop_table", store.drop_table().await));
    for (operation, result) in schema::every_call(store).await {
        results.push(("without a table", operation, result));
    }

    let [poor, rich] = table(store, [("poor", 1, 1), ("rich", i32::MAX, i32::MAX)]).await?;
    results.push(("with a table there", "create_table", store.create_table().await));
    for (what, name) in [("of a taken name", "poor"), ("of a name that cannot be stored", "a ")] {
        let new = NewPlayer::new(name, 1, 1);
        results.push((what, "create", store.create(&new).await.map(drop)));
        results.push((what, "create_many", store.create_many(&[NewPlayer::new("new", 1, 1), new]).await.map(drop)));
        results.push((what, "update", store.update(&Player { name: name.into(), ..rich.clone() }).await));
    }
    let rows = vec![NewPlayer::new("a", 1, 1); MAX_ROWS + 1];
    results.push(("of too many rows", "create_many", store.create_many(&rows).await.map(drop)));
    let absent = Player { id: ABSENT, name: "absent".into(), coins: 1, goods: 1 };
    results.push(("of an absent player", "update", store.update(&absent).await));
    results.push(("of an absent player", "delete", store.delete(ABSENT).await));
    let trade = Trade { buyer: poor.id, seller: rich.id, goods: 1, price: 1 };
    for (what, trade) in [
        ("with too few coins", Trade { price: 2, ..trade }),
        ("with too few goods", Trade { buyer: rich.id, seller: poor.id, goods: 2, price: 1 }),
        ("with an absent buyer", Trade { buyer: ABSENT, ..trade }),
        ("with an absent seller", Trade { seller: ABSENT, ..trade }),
        ("with oneself", Trade { seller: poor.id, ..trade }),
        ("for nothing", Trade { price: 0, ..trade }),
        ("that gives more coins than fit", trade),
    ] {
        results.push((what, "trade", store.trade(&trade).await));
    }
    store.close().await?;
    results.push(("after close", "count", store.count().await.map(drop)));

    let refusal = |(what, operation, result): (&str, &'static str, StoreResult<()>)| {
        let what = format!("{operation} {what}");
        match result {
            Ok(()) => Err(Failure::new(format!("{what} must be refused and succeeded"))),
            Err(error) => Ok(Refusal { what, operation, error }),
        }
    };
    results.into_iter().map(refusal).collect()
}

/// The refusals of the executable specification.
async fn specified() -> Result<Vec<Refusal>, Failure> {
    let specification: Store = Arc::new(MemoryStore::new());
    refusals(&specification).await
}

/// The same situation has the same kind in every store.
pub async fn refusals_have_the_right_kind(store: &Store) -> Result<(), Failure> {
    for (came, expected) in iter::zip(refusals(store).await?, specified().await?) {
        equal(&format!("the kind of {}", came.what), came.error.kind(), expected.error.kind())?;
    }
    Ok(())
}

/// A refusal says that nothing was applied and that trying again would not help.
pub async fn refusals_are_final(store: &Store) -> Result<(), Failure> {
    for Refusal { what, error, .. } in refusals(store).await? {
        equal(&format!("the outcome of {what}"), error.outcome(), Outcome::Final)?;
    }
    Ok(())
}

/// An error says which operation failed. One of a closed store may come from below the operation.
pub async fn errors_name_the_operation(store: &Store) -> Result<(), Failure> {
    for Refusal { what, operation, error } in refusals(store).await? {
        if error.kind() != ErrorKind::Closed {
            equal(&format!("the operation that the error of {what} names"), error.operation_name(), Some(operation))?;
        }
    }
    Ok(())
}

/// An error names the store's driver, or none when it never came that far.
pub async fn errors_name_no_other_driver(store: &Store) -> Result<(), Failure> {
    for Refusal { what, error, .. } in refusals(store).await? {
        let driver = error.driver().unwrap_or_else(|| store.driver());
        equal(&format!("the driver that the error of {what} names"), driver, store.driver())?;
    }
    Ok(())
}

/// An error does not repeat its cause: who prints the chain would print it twice.
pub async fn errors_leave_the_cause_to_the_chain(store: &Store) -> Result<(), Failure> {
    for Refusal { what, error, .. } in refusals(store).await? {
        let text = error.to_string();
        for cause in chain(error.source()) {
            let cause = cause.to_string();
            holds(
                &format!("the text of {what}, {text:?}, repeats its cause, {cause:?}"),
                cause.is_empty() || !text.contains(&cause),
            )?;
        }
    }
    Ok(())
}

/// The same situation has the same sentence in every store. What a closed store says is its own affair.
pub async fn errors_read_the_same_for_every_store(store: &Store) -> Result<(), Failure> {
    for (came, expected) in iter::zip(refusals(store).await?, specified().await?) {
        if expected.error.kind() != ErrorKind::Closed {
            equal(&format!("the text of {}", came.what), came.error.to_string(), expected.error.to_string())?;
        }
    }
    Ok(())
}
