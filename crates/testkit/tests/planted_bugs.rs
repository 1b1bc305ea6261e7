//! A check that cannot fail is no check: for each there is a store with one bug that it must find.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use tidb_connect_core::{
    Error, ErrorKind, Outcome, Result,
    players::{MemoryStore, NewPlayer, Player, PlayerId, PlayerStore, Status, Trade, is_valid_name},
};
use tidb_connect_testkit::{
    Store,
    checks::{self, Run},
};
use tokio::{sync::Mutex, task::yield_now};

/// What a store can get wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    AddsAPlayerToANewTable,
    TakesOverAnExistingTable,
    EmptiesAnExistingTable,
    DropsNoRows,
    DropsWhatIsNotThere,
    FindsNobodyWithoutATable,
    ReturnsAnotherId,
    OverwritesATakenName,
    ReusesIds,
    ComparesNamesWithoutCase,
    CutsNamesAtNul,
    TrimsNames,
    CountsNamesInBytes,
    StoresAnyName,
    StoresNamesOfAnyLengthByUpdate,
    AsksForTheTableFirst,
    HasUnsignedCoins,
    FailsForAnAbsentId,
    FailsForAnAbsentName,
    IgnoresASpaceAtTheEnd,
    ListsByName,
    ListsFromAfter,
    ListsAfterOnlyWhatIsThere,
    TakesLimit0ForNone,
    CountsFromOne,
    CountsTheHighestId,
    ForgetsGoodsInUpdate,
    CountsChangedRows,
    CreatesByUpdate,
    ForgivesUpdatesOfNobody,
    SwallowsATakenNameInUpdate,
    DeletesTheNextToo,
    ForgivesDeletesOfNobody,
    StoresTheFirstRowOnly,
    ReturnsOneForManyRows,
    FailsForNoRows,
    StoresRowsOneByOne,
    IgnoresTakenNames,
    SkipsRowsOfWrongNames,
    SendsTooManyRows,
    ListsOneTooFew,
    TradesCoinsOnly,
    TradesWithAllBuyers,
    KeepsTheLastCoin,
    LendsCoins,
    LendsGoods,
    AsksForGoodsFirst,
    KeepsHalfARefusedTrade,
    MissesPlayersAsPoor,
    TradesWithOneself,
    TradesNothing,
    Saturates,
    HasTwoWinners,
    AllowsFewCalls,
    LosesUpdates,
    Oversells,
    ShowsHalfATrade,
    LeaksDroppedCalls,
    KeepsHalfADroppedTrade,
    ChangesItsName,
    HasNoVersion,
    HasMoreConnectionsThanAllowed,
    IsNeverWell,
    StaysOpen,
    IsWellAfterClose,
    ClosesOnce,
    CallsEveryRefusalDatabase,
    WantsRefusalsRetried,
    NamesNoOperation,
    NamesAnotherDriver,
    RepeatsTheCause,
    HasWordsOfItsOwn,
}

/// Each bug with the check that is meant for it.
const PLANTED: &[(Bug, &str)] = &[
    (Bug::AddsAPlayerToANewTable, "create_table_makes_an_empty_table"),
    (Bug::TakesOverAnExistingTable, "create_table_leaves_an_existing_table_alone"),
    (Bug::EmptiesAnExistingTable, "create_table_leaves_an_existing_table_alone"),
    (Bug::DropsNoRows, "drop_table_removes_the_rows"),
    (Bug::DropsWhatIsNotThere, "drop_table_without_a_table_is_table_missing"),
    (Bug::FindsNobodyWithoutATable, "calls_without_a_table_are_table_missing"),
    (Bug::ReturnsAnotherId, "create_returns_what_find_finds"),
    (Bug::OverwritesATakenName, "create_refuses_a_taken_name"),
    (Bug::ReusesIds, "ids_are_never_reused"),
    (Bug::ComparesNamesWithoutCase, "names_differ_by_case_accent_and_form"),
    (Bug::CutsNamesAtNul, "names_come_back_byte_for_byte"),
    (Bug::TrimsNames, "names_come_back_byte_for_byte"),
    (Bug::CountsNamesInBytes, "names_have_up_to_32_characters"),
    (Bug::StoresAnyName, "names_that_cannot_be_stored_are_refused"),
    (Bug::StoresNamesOfAnyLengthByUpdate, "names_that_cannot_be_stored_are_refused"),
    (Bug::AsksForTheTableFirst, "names_are_checked_before_anything_is_sent"),
    (Bug::HasUnsignedCoins, "coins_and_goods_have_all_32_bits"),
    (Bug::FailsForAnAbsentId, "find_of_an_absent_id_is_none"),
    (Bug::FailsForAnAbsentName, "find_by_name_of_an_absent_name_is_none"),
    (Bug::IgnoresASpaceAtTheEnd, "find_by_name_minds_a_space_at_the_end"),
    (Bug::ListsByName, "list_is_in_the_order_of_ids"),
    (Bug::ListsFromAfter, "list_starts_after_the_given_id"),
    (Bug::ListsAfterOnlyWhatIsThere, "list_starts_after_the_given_id"),
    (Bug::TakesLimit0ForNone, "list_ends_at_the_limit"),
    (Bug::CountsFromOne, "count_counts_the_rows"),
    (Bug::CountsTheHighestId, "count_counts_the_rows"),
    (Bug::ForgetsGoodsInUpdate, "update_stores_every_field"),
    (Bug::CountsChangedRows, "update_with_nothing_new_is_no_error"),
    (Bug::CreatesByUpdate, "update_of_an_absent_player_is_not_found"),
    (Bug::ForgivesUpdatesOfNobody, "update_of_an_absent_player_is_not_found"),
    (Bug::SwallowsATakenNameInUpdate, "update_to_a_taken_name_is_refused"),
    (Bug::DeletesTheNextToo, "delete_removes_one_player"),
    (Bug::ForgivesDeletesOfNobody, "delete_of_an_absent_player_is_not_found"),
    (Bug::StoresTheFirstRowOnly, "create_many_stores_every_row"),
    (Bug::ReturnsOneForManyRows, "create_many_stores_every_row"),
    (Bug::ReturnsOneForManyRows, "load_stores_batch_after_batch"),
    (Bug::FailsForNoRows, "create_many_of_nothing_is_zero"),
    (Bug::StoresRowsOneByOne, "create_many_refuses_a_name_that_stands_twice"),
    (Bug::StoresRowsOneByOne, "create_many_refuses_a_taken_name"),
    (Bug::StoresRowsOneByOne, "load_ends_at_the_first_batch_that_fails"),
    (Bug::IgnoresTakenNames, "create_many_refuses_a_taken_name"),
    (Bug::SkipsRowsOfWrongNames, "create_many_refuses_a_name_that_cannot_be_stored"),
    (Bug::SendsTooManyRows, "create_many_refuses_too_many_rows"),
    (Bug::ListsFromAfter, "players_come_once_each_over_pages"),
    (Bug::ListsOneTooFew, "players_come_once_each_over_pages"),
    (Bug::TradesCoinsOnly, "trade_moves_coins_and_goods"),
    (Bug::TradesWithAllBuyers, "trade_moves_coins_and_goods"),
    (Bug::KeepsTheLastCoin, "trade_of_all_that_there_is_is_allowed"),
    (Bug::LendsCoins, "trade_refuses_too_few_coins"),
    (Bug::KeepsHalfARefusedTrade, "trade_refuses_too_few_goods"),
    (Bug::LendsGoods, "trade_refuses_too_few_goods"),
    (Bug::AsksForGoodsFirst, "trade_asks_for_coins_first"),
    (Bug::MissesPlayersAsPoor, "trade_with_an_absent_player_is_not_found"),
    (Bug::TradesWithOneself, "trade_with_oneself_is_refused"),
    (Bug::TradesNothing, "trade_refuses_amounts_that_are_not_positive"),
    (Bug::Saturates, "trade_refuses_sums_that_do_not_fit"),
    (Bug::HasTwoWinners, "creates_of_one_name_at_once_have_one_winner"),
    (Bug::AllowsFewCalls, "many_tasks_share_a_store"),
    (Bug::LosesUpdates, "opposite_trades_at_once_lose_nothing"),
    (Bug::Oversells, "competing_trades_sell_everything_once"),
    (Bug::ShowsHalfATrade, "no_read_sees_half_a_trade"),
    (Bug::LeaksDroppedCalls, "dropped_calls_leave_the_store_usable"),
    (Bug::KeepsHalfADroppedTrade, "dropped_trades_move_all_or_nothing"),
    (Bug::ChangesItsName, "driver_has_one_name"),
    (Bug::HasNoVersion, "server_version_is_given"),
    (Bug::HasMoreConnectionsThanAllowed, "status_of_an_open_store_is_well"),
    (Bug::IsNeverWell, "status_of_an_open_store_is_well"),
    (Bug::StaysOpen, "calls_after_close_are_closed"),
    (Bug::IsWellAfterClose, "status_after_close_is_closed"),
    (Bug::ClosesOnce, "closing_twice_is_no_error"),
    (Bug::CallsEveryRefusalDatabase, "refusals_have_the_right_kind"),
    (Bug::WantsRefusalsRetried, "refusals_are_final"),
    (Bug::NamesNoOperation, "errors_name_the_operation"),
    (Bug::NamesAnotherDriver, "errors_name_no_other_driver"),
    (Bug::RepeatsTheCause, "errors_leave_the_cause_to_the_chain"),
    (Bug::HasWordsOfItsOwn, "errors_read_the_same_for_every_store"),
];

#[test]
fn every_planted_bug_is_found_by_the_check_meant_for_it() {
    let missed: Vec<_> = PLANTED.iter().filter(|(bug, check)| verdict(check, Some(*bug)).is_ok()).collect();
    assert!(missed.is_empty(), "these checks pass in spite of the bug planted for them: {missed:?}");
}

#[test]
fn every_check_passes_without_a_bug() {
    for check in anywhere() {
        assert_eq!(verdict(check, None), Ok(()), "{check}");
    }
}

#[test]
fn every_check_has_a_bug_that_it_finds() {
    let planted: BTreeSet<_> = PLANTED.iter().map(|(_, check)| *check).collect();
    let anywhere: BTreeSet<_> = anywhere().collect();
    assert_eq!(planted, anywhere, "left are the checks that have a bug, right those that need one");
}

#[test]
fn every_check_has_a_name_of_its_own() {
    let names: BTreeSet<_> = checks::ALL.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), checks::ALL.len());
}

/// The names of all checks that need no server.
fn anywhere() -> impl Iterator<Item = &'static str> {
    checks::ALL.iter().filter(|check| matches!(check.run, Run::Anywhere(_))).map(|check| check.name)
}

/// What the check of this name says about a store with `bug`. One thread, so that tasks take turns where the bugs yield.
fn verdict(name: &str, bug: Option<Bug>) -> std::result::Result<(), String> {
    let check = checks::ALL.iter().find(|check| check.name == name).expect("a check of this name");
    let Run::Anywhere(run) = check.run else { panic!("{name} needs a server") };
    let store: Store = Arc::new(Planted::new(bug));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), run(&store)).await });
    ended.map_err(|_| "hangs".to_owned())?.map_err(|failure| failure.to_string())
}

/// A store in memory with at most one bug.
#[derive(Debug)]
struct Planted {
    store: MemoryStore,
    bug: Option<Bug>,
    turn: Mutex<()>,
    busy: AtomicI32,
    closed: AtomicBool,
    /// The rows of a dropped table, and ids that were given before.
    kept: Mutex<Vec<Player>>,
}

impl Planted {
    fn new(bug: Option<Bug>) -> Self {
        Self {
            store: MemoryStore::new(),
            bug,
            turn: Mutex::default(),
            busy: AtomicI32::default(),
            closed: AtomicBool::default(),
            kept: Mutex::default(),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// What becomes of an error on its way to the caller.
    fn report<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let text = error.to_string();
            let rewritten = |text: String| {
                let error = Error::new(error.kind(), text).with_outcome(error.outcome());
                error.with_operation(result_operation(&error_operation(&text_of(&error))))
            };
            let _ = (&text, rewritten);
            error
        })
    }
}
