//! A check that cannot fail is no check: for each there is a store with one bug that it must find.

use std::{
    collections::BTreeSet,
    env,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use tidb_connect_core::{
    Error, ErrorKind, Outcome, Result,
    players::{MemoryStore, NewPlayer, Player, PlayerId, PlayerStore, Status, Trade, is_valid_name, sql::MAX_ROWS},
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
    TakesAbsentPlayersForPoor,
    TradesWithOneself,
    TradesNothing,
    Saturates,
    HasTwoWinners,
    AllowsFewCalls,
    LosesUpdates,
    Oversells,
    MovesOneSideAfterTheOther,
    LeaksDroppedCalls,
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
    (Bug::StoresRowsOneByOne, "load_in_parallel_tells_what_is_stored"),
    (Bug::ReturnsOneForManyRows, "load_in_parallel_stores_everything"),
    (Bug::ReturnsOneForManyRows, "load_ends_where_its_iterator_first_does"),
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
    (Bug::TakesAbsentPlayersForPoor, "trade_with_an_absent_player_is_not_found"),
    (Bug::TradesWithOneself, "trade_with_oneself_is_refused"),
    (Bug::TradesNothing, "trade_refuses_amounts_that_are_not_positive"),
    (Bug::Saturates, "trade_refuses_sums_that_do_not_fit"),
    (Bug::HasTwoWinners, "creates_of_one_name_at_once_have_one_winner"),
    (Bug::AllowsFewCalls, "many_tasks_share_a_store"),
    (Bug::LosesUpdates, "opposite_trades_at_once_lose_nothing"),
    (Bug::Oversells, "competing_trades_sell_everything_once"),
    (Bug::MovesOneSideAfterTheOther, "no_read_sees_half_a_trade"),
    (Bug::LeaksDroppedCalls, "dropped_calls_leave_the_store_usable"),
    (Bug::MovesOneSideAfterTheOther, "dropped_trades_move_all_or_nothing"),
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

/// The check that makes any calls in any order.
const MODEL: &str = "agrees_with_the_model_whatever_is_asked";

/// Bugs that show in a single call after others, which that check must find as well.
const FOUND_BY_THE_MODEL: &[Bug] = &[
    Bug::AddsAPlayerToANewTable,
    Bug::TakesOverAnExistingTable,
    Bug::EmptiesAnExistingTable,
    Bug::DropsNoRows,
    Bug::DropsWhatIsNotThere,
    Bug::FindsNobodyWithoutATable,
    Bug::ReturnsAnotherId,
    Bug::OverwritesATakenName,
    Bug::ReusesIds,
    Bug::ComparesNamesWithoutCase,
    Bug::CutsNamesAtNul,
    Bug::TrimsNames,
    Bug::CountsNamesInBytes,
    Bug::StoresAnyName,
    Bug::StoresNamesOfAnyLengthByUpdate,
    Bug::AsksForTheTableFirst,
    Bug::HasUnsignedCoins,
    Bug::FailsForAnAbsentId,
    Bug::FailsForAnAbsentName,
    Bug::IgnoresASpaceAtTheEnd,
    Bug::ListsByName,
    Bug::ListsFromAfter,
    Bug::ListsAfterOnlyWhatIsThere,
    Bug::TakesLimit0ForNone,
    Bug::CountsFromOne,
    Bug::CountsTheHighestId,
    Bug::ForgetsGoodsInUpdate,
    Bug::CountsChangedRows,
    Bug::CreatesByUpdate,
    Bug::ForgivesUpdatesOfNobody,
    Bug::SwallowsATakenNameInUpdate,
    Bug::DeletesTheNextToo,
    Bug::ForgivesDeletesOfNobody,
    Bug::StoresTheFirstRowOnly,
    Bug::ReturnsOneForManyRows,
    Bug::FailsForNoRows,
    Bug::StoresRowsOneByOne,
    Bug::IgnoresTakenNames,
    Bug::SkipsRowsOfWrongNames,
    Bug::ListsOneTooFew,
    Bug::TradesCoinsOnly,
    Bug::TradesWithAllBuyers,
    Bug::KeepsTheLastCoin,
    Bug::LendsCoins,
    Bug::LendsGoods,
    Bug::AsksForGoodsFirst,
    Bug::KeepsHalfARefusedTrade,
    Bug::TakesAbsentPlayersForPoor,
    Bug::TradesWithOneself,
    Bug::TradesNothing,
    Bug::CallsEveryRefusalDatabase,
    Bug::WantsRefusalsRetried,
];

fn planted() -> impl Iterator<Item = (Bug, &'static str)> {
    PLANTED.iter().copied().chain(FOUND_BY_THE_MODEL.iter().map(|bug| (*bug, MODEL)))
}

#[test]
fn every_planted_bug_is_found_by_the_check_meant_for_it() {
    let missed: Vec<_> = planted().filter(|(bug, check)| verdict(check, Some(*bug)).is_ok()).collect();
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
    let planted: BTreeSet<_> = planted().map(|(_, check)| check).collect();
    let anywhere: BTreeSet<_> = anywhere().collect();
    assert_eq!(planted, anywhere, "left are the checks that have a bug, right those that need one");
}

#[test]
fn every_check_has_a_name_of_its_own() {
    let names: BTreeSet<_> = checks::ALL.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), checks::ALL.len());
}

#[test]
fn the_model_shows_the_fewest_calls_and_its_seed_makes_them_again() {
    const EXPECTED: &str = "EXPECTED_BY_PLANTED_BUGS_TEST";
    let said = verdict(MODEL, Some(Bug::LendsCoins)).expect_err("must be found");
    if let Ok(expected) = env::var(EXPECTED) {
        assert_eq!(said, expected);
        return;
    }
    let calls: Vec<_> = said.lines().skip(1).take_while(|line| *line != "the result").collect();
    assert!(calls.len() <= 3 && calls.last().is_some_and(|call| call.starts_with("  Trade {")), "{said}");
    let (_, seed) = said.split_once("PROPTEST_RNG_SEED=").expect("a seed");
    let seed: String = seed.chars().take_while(char::is_ascii_digit).collect();

    // The environment of a process cannot safely be changed from within, so this test starts itself again in another.
    let child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "the_model_shows_the_fewest_calls_and_its_seed_makes_them_again"])
        .env(EXPECTED, said)
        .env("PROPTEST_RNG_SEED", seed)
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
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
    bug: Option<Bug>,
    store: Reporting,
    /// The rows of a dropped table.
    kept: Mutex<Vec<Player>>,
    turn: Mutex<()>,
    busy: AtomicUsize,
    flag: AtomicBool,
}

impl Planted {
    fn new(bug: Option<Bug>) -> Self {
        Self {
            bug,
            store: Reporting { bug, store: MemoryStore::new() },
            kept: Mutex::default(),
            turn: Mutex::default(),
            busy: AtomicUsize::default(),
            flag: AtomicBool::default(),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether `result` is an error of `kind`, in a store with `bug`.
    fn hides<T>(&self, bug: Bug, result: &Result<T>, kind: ErrorKind) -> bool {
        self.has(bug) && result.as_ref().is_err_and(|error| error.kind() == kind)
    }

    async fn has_table(&self) -> Result<()> {
        if self.has(Bug::AsksForTheTableFirst) { self.store.count().await.map(drop) } else { Ok(()) }
    }

    async fn player(&self, id: PlayerId) -> Result<Player> {
        self.store.find(id).await?.ok_or_else(|| Error::refused("trade", ErrorKind::NotFound))
    }

    /// Both sides after a trade, whether or not it is possible.
    async fn sides_after(&self, trade: &Trade) -> Result<[Player; 2]> {
        let (mut buyer, mut seller) = (self.player(trade.buyer).await?, self.player(trade.seller).await?);
        buyer.coins = buyer.coins.saturating_sub(trade.price);
        buyer.goods = buyer.goods.saturating_add(trade.goods);
        seller.coins = seller.coins.saturating_add(trade.price);
        seller.goods = seller.goods.saturating_sub(trade.goods);
        Ok([buyer, seller])
    }

    /// Makes a trade, whether or not it is possible.
    async fn force(&self, trade: &Trade) -> Result<()> {
        for side in self.sides_after(trade).await? {
            self.store.update(&side).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl PlayerStore for Planted {
    fn driver(&self) -> &'static str {
        if self.has(Bug::ChangesItsName) && self.flag.fetch_xor(true, SeqCst) { "another" } else { self.store.driver() }
    }

    async fn server_version(&self) -> Result<String> {
        if self.has(Bug::HasNoVersion) { Ok(String::new()) } else { self.store.server_version().await }
    }

    async fn create_table(&self) -> Result<()> {
        let result = self.store.create_table().await;
        if self.hides(Bug::TakesOverAnExistingTable, &result, ErrorKind::TableExists) {
            return Ok(());
        }
        if self.hides(Bug::EmptiesAnExistingTable, &result, ErrorKind::TableExists) {
            self.store.drop_table().await?;
            self.store.create_table().await?;
        }
        if self.has(Bug::AddsAPlayerToANewTable) {
            self.store.create(&NewPlayer::new("first", 0, 0)).await?;
        }
        for Player { name, coins, goods, .. } in self.kept.lock().await.drain(..) {
            self.store.create(&NewPlayer { name, coins, goods }).await?;
        }
        result
    }

    async fn drop_table(&self) -> Result<()> {
        if self.has(Bug::DropsNoRows) {
            *self.kept.lock().await = self.store.list(None, u32::MAX).await?;
        }
        let result = self.store.drop_table().await;
        if self.hides(Bug::DropsWhatIsNotThere, &result, ErrorKind::TableMissing) { Ok(()) } else { result }
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        self.has_table().await?;
        let mut player = player.clone();
        match self.bug {
            Some(Bug::ReusesIds) if self.store.count().await? == 0 => {
                self.store.drop_table().await?;
                self.store.create_table().await?;
            }
            Some(Bug::ComparesNamesWithoutCase) => {
                let name = player.name.to_lowercase();
                if self.store.list(None, u32::MAX).await?.iter().any(|other| other.name.to_lowercase() == name) {
                    return Err(Error::refused("create", ErrorKind::AlreadyExists));
                }
            }
            Some(Bug::CutsNamesAtNul) => player.name.truncate(player.name.find('\0').unwrap_or(player.name.len())),
            Some(Bug::TrimsNames) => player.name = player.name.trim().to_owned(),
            Some(Bug::CountsNamesInBytes) if player.name.len() > 32 => {
                return Err(Error::refused("create", ErrorKind::InvalidInput));
            }
            Some(Bug::StoresAnyName) if !is_valid_name(&player.name) => player.name = "mended".into(),
            Some(Bug::HasUnsignedCoins) if player.coins < 0 => {
                return Err(Error::refused("create", ErrorKind::OutOfRange));
            }
            Some(Bug::HasTwoWinners) => {
                if self.store.find_by_name(&player.name).await?.is_some() {
                    return Err(Error::refused("create", ErrorKind::AlreadyExists));
                }
                yield_now().await;
                if let Some(winner) = self.store.find_by_name(&player.name).await? {
                    return Ok(winner);
                }
            }
            Some(Bug::AllowsFewCalls | Bug::LeaksDroppedCalls) => {
                if self.busy.fetch_add(1, SeqCst) >= 4 {
                    return Err(Error::refused("create", ErrorKind::PoolExhausted));
                }
                yield_now().await;
                self.busy.fetch_sub(1, SeqCst);
            }
            _ => {}
        }
        let mut result = self.store.create(&player).await;
        if self.hides(Bug::OverwritesATakenName, &result, ErrorKind::AlreadyExists)
            && let Some(taken) = self.store.find_by_name(&player.name).await?
        {
            self.store.update(&player.with_id(taken.id)).await?;
        }
        if let (true, Ok(created)) = (self.has(Bug::ReturnsAnotherId), &mut result) {
            created.id.0 += 1;
        }
        result
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        self.has_table().await?;
        match self.bug {
            Some(Bug::StoresTheFirstRowOnly) => {
                self.store.create_many(&players[..players.len().min(1)]).await?;
                Ok(players.len() as u64)
            }
            Some(Bug::ReturnsOneForManyRows) => Ok(self.store.create_many(players).await?.min(1)),
            Some(Bug::FailsForNoRows) if players.is_empty() => Err(Error::refused("create_many", ErrorKind::Database)),
            Some(bug @ (Bug::StoresRowsOneByOne | Bug::IgnoresTakenNames)) => {
                let mut stored = 0;
                for player in players {
                    match self.store.create(player).await {
                        Ok(_) => stored += 1,
                        Err(error) if bug == Bug::IgnoresTakenNames && error.kind() == ErrorKind::AlreadyExists => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(stored)
            }
            Some(Bug::SkipsRowsOfWrongNames) => {
                let valid: Vec<_> = players.iter().filter(|player| is_valid_name(&player.name)).cloned().collect();
                self.store.create_many(&valid).await
            }
            Some(Bug::SendsTooManyRows) if players.len() > MAX_ROWS => {
                Err(Error::refused("create_many", ErrorKind::LimitExceeded))
            }
            _ => self.store.create_many(players).await,
        }
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        let result = self.store.find(id).await;
        if self.hides(Bug::FindsNobodyWithoutATable, &result, ErrorKind::TableMissing) {
            return Ok(None);
        }
        match result {
            Ok(None) if self.has(Bug::FailsForAnAbsentId) => Err(Error::refused("find", ErrorKind::NotFound)),
            result => result,
        }
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        let name = if self.has(Bug::IgnoresASpaceAtTheEnd) { name.trim_end_matches(' ') } else { name };
        match self.store.find_by_name(name).await? {
            None if self.has(Bug::FailsForAnAbsentName) => Err(Error::refused("find_by_name", ErrorKind::NotFound)),
            found => Ok(found),
        }
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        match (self.bug, after) {
            (Some(Bug::ListsByName), _) => {
                let mut players = self.store.list(after, limit).await?;
                players.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(players)
            }
            (Some(Bug::ListsFromAfter), Some(after)) => {
                self.store.list(Some(PlayerId(after.0.saturating_sub(1))), limit).await
            }
            (Some(Bug::ListsAfterOnlyWhatIsThere), Some(after)) if self.store.find(after).await?.is_none() => {
                Ok(Vec::new())
            }
            (Some(Bug::TakesLimit0ForNone), _) if limit == 0 => self.store.list(after, u32::MAX).await,
            (Some(Bug::ListsOneTooFew), _) => self.store.list(after, limit.saturating_sub(1)).await,
            _ => self.store.list(after, limit).await,
        }
    }

    async fn count(&self) -> Result<u64> {
        let count = self.store.count().await?;
        match self.bug {
            Some(Bug::CountsFromOne) => Ok(count + 1),
            Some(Bug::CountsTheHighestId) => {
                let last = self.store.list(None, u32::MAX).await?.pop();
                Ok(last.map_or(0, |player| player.id.0 as u64))
            }
            _ => Ok(count),
        }
    }

    async fn update(&self, player: &Player) -> Result<()> {
        self.has_table().await?;
        let mut player = player.clone();
        let before = self.store.find(player.id).await;
        match (self.bug, before) {
            (Some(Bug::StoresNamesOfAnyLengthByUpdate), _) if player.name.len() > 32 => player.name.truncate(1),
            (Some(Bug::ForgetsGoodsInUpdate), Ok(Some(before))) => player.goods = before.goods,
            (Some(Bug::CountsChangedRows), Ok(Some(before))) if before == player => {
                return Err(Error::refused("update", ErrorKind::NotFound));
            }
            _ => {}
        }
        let result = self.store.update(&player).await;
        if self.hides(Bug::CreatesByUpdate, &result, ErrorKind::NotFound) {
            let Player { name, coins, goods, .. } = player;
            self.store.create(&NewPlayer { name, coins, goods }).await?;
        }
        let hidden = self.hides(Bug::ForgivesUpdatesOfNobody, &result, ErrorKind::NotFound)
            || self.hides(Bug::SwallowsATakenNameInUpdate, &result, ErrorKind::AlreadyExists);
        if hidden { Ok(()) } else { result }
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        let result = self.store.delete(id).await;
        if self.has(Bug::DeletesTheNextToo) {
            for next in self.store.list(Some(id), 1).await? {
                self.store.delete(next.id).await?;
            }
        }
        if self.hides(Bug::ForgivesDeletesOfNobody, &result, ErrorKind::NotFound) { Ok(()) } else { result }
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        match self.bug {
            Some(Bug::TradesCoinsOnly) => {
                let goods = [self.player(trade.buyer).await?.goods, self.player(trade.seller).await?.goods];
                self.store.trade(trade).await?;
                for (id, goods) in [trade.buyer, trade.seller].into_iter().zip(goods) {
                    let player = self.player(id).await?;
                    self.store.update(&Player { goods, ..player }).await?;
                }
                return Ok(());
            }
            Some(Bug::TradesWithAllBuyers) => {
                self.store.trade(trade).await?;
                for mut player in self.store.list(None, u32::MAX).await? {
                    if player.id != trade.buyer && player.id != trade.seller {
                        player.coins -= trade.price;
                        self.store.update(&player).await?;
                    }
                }
                return Ok(());
            }
            Some(Bug::KeepsTheLastCoin) if self.player(trade.buyer).await?.coins == trade.price => {
                return Err(Error::refused("trade", ErrorKind::InsufficientCoins));
            }
            Some(Bug::TradesWithOneself) if trade.buyer == trade.seller => return Ok(()),
            Some(Bug::TradesNothing) if trade.goods <= 0 || trade.price <= 0 => return Ok(()),
            Some(Bug::LosesUpdates) => {
                let sides = self.sides_after(trade).await?;
                yield_now().await;
                for side in sides {
                    self.store.update(&side).await?;
                }
                return Ok(());
            }
            Some(Bug::Oversells) => {
                let possible = self.player(trade.seller).await?.goods >= trade.goods;
                yield_now().await;
                return if possible { self.force(trade).await } else { self.store.trade(trade).await };
            }
            Some(Bug::MovesOneSideAfterTheOther) => {
                let _turn = self.turn.lock().await;
                let [buyer, seller] = self.sides_after(trade).await?;
                self.store.update(&buyer).await?;
                yield_now().await;
                return self.store.update(&seller).await;
            }
            _ => {}
        }
        let result = self.store.trade(trade).await;
        let forced = self.hides(Bug::LendsCoins, &result, ErrorKind::InsufficientCoins)
            || self.hides(Bug::LendsGoods, &result, ErrorKind::InsufficientGoods)
            || self.hides(Bug::Saturates, &result, ErrorKind::OutOfRange);
        if forced {
            return self.force(trade).await;
        }
        if self.hides(Bug::KeepsHalfARefusedTrade, &result, ErrorKind::InsufficientGoods) {
            let [buyer, _] = self.sides_after(trade).await?;
            self.store.update(&buyer).await?;
        }
        if self.hides(Bug::AsksForGoodsFirst, &result, ErrorKind::InsufficientCoins)
            && self.player(trade.seller).await?.goods < trade.goods
        {
            return Err(Error::refused("trade", ErrorKind::InsufficientGoods));
        }
        if self.hides(Bug::TakesAbsentPlayersForPoor, &result, ErrorKind::NotFound) {
            return Err(Error::refused("trade", ErrorKind::InsufficientCoins));
        }
        result
    }

    async fn status(&self) -> Status {
        let mut status = self.store.status().await;
        match self.bug {
            Some(Bug::HasMoreConnectionsThanAllowed) => status.pool.size = status.pool.max + 1,
            Some(Bug::IsNeverWell) => status.server = Err(Error::new(ErrorKind::TimedOut, "not well")),
            Some(Bug::IsWellAfterClose) => status.server = Ok(()),
            _ => {}
        }
        status
    }

    async fn close(&self) -> Result<()> {
        match self.bug {
            Some(Bug::StaysOpen) => Ok(()),
            Some(Bug::ClosesOnce) if self.flag.swap(true, SeqCst) => {
                Err(Error::new(ErrorKind::Closed, "closed already"))
            }
            _ => self.store.close().await,
        }
    }
}

/// A store in memory that may report its errors wrongly.
#[derive(Debug)]
struct Reporting {
    bug: Option<Bug>,
    store: MemoryStore,
}

impl Reporting {
    fn report<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let rewritten = |kind, text: String| match error.operation_name() {
                Some(operation) => Error::new(kind, text).with_operation(operation),
                None => Error::new(kind, text),
            };
            let (kind, text) = (error.kind(), error.to_string());
            match self.bug {
                Some(Bug::CallsEveryRefusalDatabase) => rewritten(ErrorKind::Database, text),
                Some(Bug::HasWordsOfItsOwn) => rewritten(kind, "no".into()),
                Some(Bug::RepeatsTheCause) => rewritten(kind, format!("{text}: the cause")).with_source("the cause"),
                Some(Bug::NamesNoOperation) => Error::new(kind, text),
                Some(Bug::NamesAnotherDriver) => error.with_driver("another"),
                Some(Bug::WantsRefusalsRetried) => error.with_outcome(Outcome::Retryable),
                _ => error,
            }
        })
    }
}

#[async_trait]
impl PlayerStore for Reporting {
    fn driver(&self) -> &'static str {
        self.store.driver()
    }
    async fn server_version(&self) -> Result<String> {
        self.report(self.store.server_version().await)
    }
    async fn create_table(&self) -> Result<()> {
        self.report(self.store.create_table().await)
    }
    async fn drop_table(&self) -> Result<()> {
        self.report(self.store.drop_table().await)
    }
    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        self.report(self.store.create(player).await)
    }
    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        self.report(self.store.create_many(players).await)
    }
    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        self.report(self.store.find(id).await)
    }
    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        self.report(self.store.find_by_name(name).await)
    }
    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        self.report(self.store.list(after, limit).await)
    }
    async fn count(&self) -> Result<u64> {
        self.report(self.store.count().await)
    }
    async fn update(&self, player: &Player) -> Result<()> {
        self.report(self.store.update(player).await)
    }
    async fn delete(&self, id: PlayerId) -> Result<()> {
        self.report(self.store.delete(id).await)
    }
    async fn trade(&self, trade: &Trade) -> Result<()> {
        self.report(self.store.trade(trade).await)
    }
    async fn status(&self) -> Status {
        self.store.status().await
    }
    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
