//! One player at a time.

use std::collections::BTreeSet;

use tidb_connect_core::{
    ErrorKind,
    players::{NewPlayer, Player, PlayerId},
};

use super::{ABSENT, everyone, refuses, table};
use crate::{
    Failure, Store,
    failure::{equal, holds, refused},
};

/// Names that break what quotes, escapes, compares or cuts text on its way.
const UNUSUAL: [&str; 16] = [
    "O'Brien",
    "\"quoted\"",
    "back\\slash\\",
    "'; DROP TABLE players; --",
    "100%_?",
    "two\nlines\r\n",
    "tab\tand nul\0.",
    " space before",
    "no-break space\u{a0}",
    "Ελληνικά",
    "日本語の名前",
    "👩‍👩‍👧‍👦",
    "שלום",
    "\u{202e}backwards",
    "${name} {} :name @name",
    "NULL",
];

/// Names that none can be stored under, with what is wrong with them.
fn wrong_names() -> [(&'static str, String); 6] {
    [
        ("empty", String::new()),
        ("only a space", " ".into()),
        ("a space at the end", "a ".into()),
        ("33 characters", "a".repeat(33)),
        ("33 characters of 4 bytes", "🦀".repeat(33)),
        ("10,000 characters", "a".repeat(10_000)),
    ]
}

/// The player that `create` returns is the one that is stored, with an id of its own.
pub async fn create_returns_what_find_finds(store: &Store) -> Result<(), Failure> {
    let [a, b] = table(store, [("a", 1, 2), ("b", 3, 4)]).await?;
    equal("the first player created", &a, &NewPlayer::new("a", 1, 2).with_id(a.id))?;
    holds("two players have two ids", a.id != b.id)?;
    for player in [a, b] {
        equal("the player found by id", store.find(player.id).await?.as_ref(), Some(&player))?;
        equal("the player found by name", store.find_by_name(&player.name).await?.as_ref(), Some(&player))?;
    }
    Ok(())
}

/// A second player of the same name is refused, and the first stays as it is.
pub async fn create_refuses_a_taken_name(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2), ("b", 3, 4)]).await?;
    let again = NewPlayer::new("a", 5, 6);
    refuses(store, "creating a name that is taken", ErrorKind::AlreadyExists, store.create(&again)).await
}

/// The id of a deleted player is not given to another.
pub async fn ids_are_never_reused(store: &Store) -> Result<(), Failure> {
    let [mut last] = table(store, [("0", 0, 0)]).await?;
    let mut ids = BTreeSet::from([last.id]);
    for name in ["1", "2", "3"] {
        store.delete(last.id).await?;
        last = store.create(&NewPlayer::new(name, 0, 0)).await?;
        holds(&format!("the id {} belonged to a player who was deleted", last.id), ids.insert(last.id))?;
    }
    Ok(())
}

/// Names are compared character by character, not as a language would.
pub async fn names_differ_by_case_accent_and_form(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let names = ["a", "A", "á", "a\u{301}", "ａ", "ss", "ß", "b", " b"];
    for name in names {
        store.create(&NewPlayer::new(name, 0, 0)).await?;
    }
    for name in names {
        let found = store.find_by_name(name).await?.map(|player| player.name);
        equal("the name of the player found by name", found.as_deref(), Some(name))?;
    }
    Ok(())
}

/// What a name contains is nobody's business: quotes, backslashes, control characters, any script.
pub async fn names_come_back_byte_for_byte(store: &Store) -> Result<(), Failure> {
    let [updated] = table(store, [("updated", 0, 0)]).await?;
    let many: Vec<_> = UNUSUAL.iter().map(|name| NewPlayer::new(*name, 1, 2)).collect();
    store.create_many(&many).await?;
    let stored: BTreeSet<_> = everyone(store).await?.into_iter().map(|player| player.name).collect();
    for name in UNUSUAL {
        holds(&format!("create_many stored {name:?}; there are {stored:?}"), stored.contains(name))?;
        let Some(found) = store.find_by_name(name).await? else {
            return Err(Failure::new(format!("find_by_name finds nobody with the stored name {name:?}")));
        };
        store.delete(found.id).await?;
        let created = store.create(&NewPlayer::new(name, 1, 2)).await?;
        equal("the player created", store.find(created.id).await?, Some(created.clone()))?;
        equal("the name created", created.name.as_str(), name)?;
        store.delete(created.id).await?;
        store.update(&Player { name: name.into(), ..updated.clone() }).await?;
        equal("the name updated", store.find(updated.id).await?.map(|player| player.name).as_deref(), Some(name))?;
    }
    Ok(())
}

/// 32 characters fit, however many bytes they are.
pub async fn names_have_up_to_32_characters(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    for character in ["x", "é", "語", "🦀"] {
        let name = character.repeat(32);
        let player = store.create(&NewPlayer::new(name.clone(), 1, 2)).await?;
        equal("the name of 32 characters", store.find(player.id).await?.map(|player| player.name), Some(name))?;
    }
    Ok(())
}

/// A name that is empty, too long or ends in a space is refused wherever it would be stored.
pub async fn names_that_cannot_be_stored_are_refused(store: &Store) -> Result<(), Failure> {
    let [player] = table(store, [("a", 1, 2)]).await?;
    for (what, name) in wrong_names() {
        let (new, changed) = (NewPlayer::new(name.clone(), 3, 4), Player { name, ..player.clone() });
        let kind = ErrorKind::InvalidInput;
        refuses(store, &format!("creating a name with a fault: {what}"), kind, store.create(&new)).await?;
        refuses(store, &format!("updating to a name with a fault: {what}"), kind, store.update(&changed)).await?;
    }
    Ok(())
}

/// A name that cannot be stored is refused, and found by nobody, before the server is asked: it could only say that
/// there is no table.
pub async fn names_are_checked_before_anything_is_sent(store: &Store) -> Result<(), Failure> {
    for (what, name) in wrong_names() {
        let new = NewPlayer::new(name, 1, 2);
        let kind = ErrorKind::InvalidInput;
        let what = format!("a name with a fault ({what}) and no table");
        equal(&what, store.find_by_name(&new.name).await?, None)?;
        refused(&what, store.create(&new).await, kind)?;
        refused(&what, store.update(&new.with_id(ABSENT)).await, kind)?;
        refused(&what, store.create_many(&[new]).await, kind)?;
    }
    Ok(())
}

/// Coins and goods are any `i32`, negative ones included.
pub async fn coins_and_goods_have_all_32_bits(store: &Store) -> Result<(), Failure> {
    let values = [i32::MIN, i32::MIN + 1, -1, 0, 1, i32::MAX - 1, i32::MAX];
    let [updated] = table(store, [("updated", 0, 0)]).await?;
    for value in values {
        let opposite = value.wrapping_neg();
        let created = store.create(&NewPlayer::new(value.to_string(), value, opposite)).await?;
        equal("the player created", store.find(created.id).await?, Some(created))?;
        let changed = Player { coins: value, goods: opposite, ..updated.clone() };
        store.update(&changed).await?;
        equal("the player updated", store.find(updated.id).await?, Some(changed))?;
    }
    let many: Vec<_> = values.iter().map(|value| NewPlayer::new(format!("many {value}"), *value, *value)).collect();
    store.create_many(&many).await?;
    for new in many {
        let found = store.find_by_name(&new.name).await?.map(|player| (player.coins, player.goods));
        equal("coins and goods of a player of create_many", found, Some((new.coins, new.goods)))?;
    }
    Ok(())
}

/// Looking for an id that nobody has is no error.
pub async fn find_of_an_absent_id_is_none(store: &Store) -> Result<(), Failure> {
    let [player] = table(store, [("a", 1, 2)]).await?;
    for id in [ABSENT, PlayerId(i64::MIN), PlayerId(-1), PlayerId(0), PlayerId(player.id.0 + 1)] {
        equal(&format!("the player with the absent id {id}"), store.find(id).await?, None)?;
    }
    Ok(())
}

/// Looking for a name that nobody has, or can have, is no error.
pub async fn find_by_name_of_an_absent_name_is_none(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    for name in ["b", "aa", "%", "_", "'", "a' OR 'a' = 'a"] {
        equal(&format!("the player with the absent name {name:?}"), store.find_by_name(name).await?, None)?;
    }
    for (what, name) in wrong_names() {
        equal(&format!("the player with a name with a fault: {what}"), store.find_by_name(&name).await?, None)?;
    }
    Ok(())
}

/// A space at the end counts in a look-up, although it does not count for the server.
pub async fn find_by_name_minds_a_space_at_the_end(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    for name in ["a ", "a  "] {
        equal(
            &format!("the player with the name {name:?}, where there is \"a\""),
            store.find_by_name(name).await?,
            None,
        )?;
    }
    Ok(())
}

/// Players come in the order of their ids, whatever their names are.
pub async fn list_is_in_the_order_of_ids(store: &Store) -> Result<(), Failure> {
    let mut players = table(store, [("d", 1, 9), ("a", 9, 1), ("c", 5, 5), ("e", 0, 0), ("b", 7, 3)]).await?;
    players.sort_by_key(|player| player.id);
    equal("all players", everyone(store).await?, players)
}

/// A list starts with the first id above `after`, which need not belong to a player.
pub async fn list_starts_after_the_given_id(store: &Store) -> Result<(), Failure> {
    let mut players = table(store, [("a", 1, 1), ("b", 2, 2), ("c", 3, 3), ("d", 4, 4)]).await?;
    players.sort_by_key(|player| player.id);
    let [first, second, third, last] = players;
    let after = async |id| store.list(Some(id), 10).await;
    equal("the list after the second", after(second.id).await?, [third.clone(), last.clone()])?;
    equal("the list after the last", after(last.id).await?, [])?;
    equal("the list after the highest id", after(ABSENT).await?, [])?;
    let all = [first, second.clone(), third.clone(), last.clone()];
    equal("the list after the lowest id", after(PlayerId(i64::MIN)).await?, all)?;
    store.delete(third.id).await?;
    equal("the list after a deleted player", after(third.id).await?, [last.clone()])?;
    equal("the list after the one before a deleted player", after(second.id).await?, [last])
}

/// A list has at most as many players as were asked for, down to none.
pub async fn list_ends_at_the_limit(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 1), ("b", 2, 2), ("c", 3, 3)]).await?;
    let all = everyone(store).await?;
    for limit in [0, 1, 2, 3, 4, u32::MAX] {
        let most = all.len().min(limit as usize);
        equal(&format!("the list with limit {limit}"), store.list(None, limit).await?.as_slice(), &all[..most])?;
    }
    let second = all.get(1).map(|player| player.id);
    equal("the list of 1 after the second", store.list(second, 1).await?.as_slice(), &all[2..])
}

/// `count` follows what is created and deleted.
pub async fn count_counts_the_rows(store: &Store) -> Result<(), Failure> {
    let [a, _] = table(store, [("a", 1, 1), ("b", 2, 2)]).await?;
    equal("the count after 2 players", store.count().await?, 2)?;
    store.create_many(&[NewPlayer::new("c", 3, 3), NewPlayer::new("d", 4, 4)]).await?;
    equal("the count after 2 more", store.count().await?, 4)?;
    store.delete(a.id).await?;
    equal("the count after one was deleted", store.count().await?, 3)
}

/// An update stores name, coins and goods of that player and touches no other.
pub async fn update_stores_every_field(store: &Store) -> Result<(), Failure> {
    let [a, b] = table(store, [("a", 1, 2), ("b", 3, 4)]).await?;
    let changed = Player { name: "c".into(), coins: -5, goods: 6, ..a };
    store.update(&changed).await?;
    equal("the updated player", store.find(changed.id).await?.as_ref(), Some(&changed))?;
    equal("the other player", store.find(b.id).await?, Some(b))?;
    equal("the player under the old name", store.find_by_name("a").await?, None)
}

/// Storing what is there already is no error. Servers count rows that change; the flag FOUND_ROWS makes them count
/// rows that match.
pub async fn update_with_nothing_new_is_no_error(store: &Store) -> Result<(), Failure> {
    let [a] = table(store, [("a", 1, 2)]).await?;
    store.update(&a).await?;
    store.update(&a).await?;
    equal("the player", store.find(a.id).await?, Some(a))
}

/// Updating nobody is an error, also under a name that is taken by nobody or by somebody.
pub async fn update_of_an_absent_player_is_not_found(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    let absent = Player { id: ABSENT, name: "b".into(), coins: 3, goods: 4 };
    refuses(store, "updating an absent player", ErrorKind::NotFound, store.update(&absent)).await?;
    let absent = Player { name: "a".into(), ..absent };
    refuses(store, "updating an absent player to a taken name", ErrorKind::NotFound, store.update(&absent)).await
}

/// A player cannot take another one's name by an update either.
pub async fn update_to_a_taken_name_is_refused(store: &Store) -> Result<(), Failure> {
    let [a, _] = table(store, [("a", 1, 2), ("b", 3, 4)]).await?;
    let changed = Player { name: "b".into(), coins: 5, ..a };
    refuses(store, "updating to a taken name", ErrorKind::AlreadyExists, store.update(&changed)).await
}

/// A deletion takes one player and no other.
pub async fn delete_removes_one_player(store: &Store) -> Result<(), Failure> {
    let [a, b, c] = table(store, [("a", 1, 2), ("b", 3, 4), ("c", 5, 6)]).await?;
    store.delete(b.id).await?;
    equal("the deleted player", store.find(b.id).await?, None)?;
    let mut rest = [a, c];
    rest.sort_by_key(|player| player.id);
    equal("the other players", everyone(store).await?, rest)
}

/// Deleting nobody is an error, as is deleting twice.
pub async fn delete_of_an_absent_player_is_not_found(store: &Store) -> Result<(), Failure> {
    let [a, _] = table(store, [("a", 1, 2), ("b", 3, 4)]).await?;
    refuses(store, "deleting an absent player", ErrorKind::NotFound, store.delete(ABSENT)).await?;
    store.delete(a.id).await?;
    refuses(store, "deleting a player twice", ErrorKind::NotFound, store.delete(a.id)).await
}
