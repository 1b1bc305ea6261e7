//! What the text of a statement does to the transaction around it, where the driver does not show the server's status.

/// What a text does to the transaction that it runs in, if there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The text commits or rolls back, be it by `COMMIT` or as DDL does.
    pub(crate) ends: bool,
    /// The text leaves a transaction open, which the next `COMMIT` or `ROLLBACK` ends.
    pub(crate) opens: bool,
    /// The text changes the session in a way that outlives a `COMMIT`: `autocommit` may be off, or tables locked.
    pub(crate) lasts: bool,
}

impl Effect {
    /// Reads the first words of each statement in `text`.
    ///
    /// A backslash protects the next character of a string, as it does unless `sql_mode` says otherwise. What a procedure
    /// or a statement prepared in SQL does is not seen.
    pub(crate) fn of(text: &str) -> Self {
        // Nearly every text is one statement, of which the first word decides.
        if !text.as_bytes().contains(&b';') {
            return Self::of_statement(Words(text));
        }
        statements(text).fold(Self::default(), |before, statement| {
            let effect = Self::of_statement(Words(statement));
            Self {
                ends: before.ends | effect.ends,
                opens: effect.opens | (before.opens && !effect.ends),
                lasts: before.lasts | effect.lasts,
            }
        })
    }

    fn of_statement(mut words: Words<'_>) -> Self {
        const NONE: Effect = Effect { ends: false, opens: false, lasts: false };
        const ENDS: Effect = Effect { ends: true, ..NONE };
        // Each of these commits what was open before.
        const OPENS: Effect = Effect { opens: true, ..ENDS };
        const LASTS: Effect = Effect { lasts: true, ..ENDS };
        let Some(first) = words.next() else { return NONE };
        let rest = words.0;
        let mut next_is = |names: &[&str]| words.next().is_some_and(|word| is_one_of(word, names));
        match first.as_bytes()[0].to_ascii_uppercase() {
            // What most statements begin with: SELECT is told from SET, and REPLACE from the others, below.
            b'I' if !is_one_of(first, &["INSTALL", "IMPORT"]) => NONE,
            b'W' | b'V' | b'(' => NONE,
            _ if is_one_of(first, &["SELECT", "UPDATE", "DELETE"]) => NONE,
            _ if is_one_of(first, &["BEGIN", "XA"]) => OPENS,
            _ if is_one_of(first, &["START"]) => {
                if next_is(&["TRANSACTION"]) {
                    OPENS
                } else {
                    NONE
                }
            }
            _ if is_one_of(first, &["COMMIT", "ROLLBACK"]) => {
                let has = |name: &str| Words(rest).any(|word| word.eq_ignore_ascii_case(name));
                if has("TO") {
                    NONE
                } else if has("NO") || !(has("CHAIN") || has("RELEASE")) {
                    ENDS
                } else {
                    // After RELEASE the server closes the connection, which must not be returned either.
                    OPENS
                }
            }
            _ if is_one_of(first, &["SET"]) => {
                if contains(rest, "autocommit") || contains(rest, "completion_type") {
                    LASTS
                } else if next_is(&["PASSWORD"]) {
                    ENDS
                } else {
                    NONE
                }
            }
            _ if is_one_of(first, &["CREATE", "DROP"]) => {
                // DROP PREPARE is another word for DEALLOCATE PREPARE.
                if next_is(&["TEMPORARY", "PREPARE"]) { NONE } else { ENDS }
            }
            _ if is_one_of(first, &["LOCK"]) => LASTS,
            _ if is_one_of(first, IMPLICIT_COMMITS) => ENDS,
            _ => NONE,
        }
    }
}

/// The first words of other statements that commit what came before them.
///
/// Source: "Statements That Cause an Implicit Commit" in MySQL's manual, MariaDB's page of that name, and
/// `pkg/executor/ddl.go` and `simple.go` of TiDB v8.5.
const IMPLICIT_COMMITS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "CACHE",
    "CHANGE",
    "CHECK",
    "FLASHBACK",
    "FLUSH",
    "GRANT",
    "IMPORT",
    "INSTALL",
    "OPTIMIZE",
    "RECOVER",
    "RENAME",
    "REPAIR",
    "RESET",
    "REVOKE",
    "STOP",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
];

fn is_one_of(word: &str, names: &[&str]) -> bool {
    names.iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn contains(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// The words at the beginning of a statement, without comments. The text of executable comments counts.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            // A parenthesis may stand before a SELECT, and the end of an executable comment before any word.
            self.0 = self.0.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
            let comment = Comment::at(self.0);
            match comment {
                Some(Comment { len, .. }) => self.0 = &self.0[len..],
                None => break,
            }
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = match self.0.find(|c| !is_part(c)) {
            Some(0) => self.0.chars().next()?.len_utf8(),
            found => found.unwrap_or(self.0.len()),
        };
        let (word, rest) = self.0.split_at(len);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }
}

/// A comment at the beginning of a text, or the part of an executable one that is none of its words.
struct Comment {
    len: usize,
}

impl Comment {
    fn at(text: &str) -> Option<Self> {
        let line = || text.find('\n').unwrap_or(text.len());
        let len = match text.as_bytes() {
            [b'#', ..] => line(),
            [b'-', b'-', next, ..] if next.is_ascii_whitespace() => line(),
            b"--" => 2,
            [b'/', b'*', b'!', ..] => 3 + digits(&text[3..]),
            [b'/', b'*', b'M', b'!', ..] => 4 + digits(&text[4..]),
            [b'/', b'*', b'T', b'!', rest @ ..] => {
                // The feature that TiDB must have, as in `/*T![ttl] …`.
                let feature = if rest.starts_with(b"[") { text.find(']').map_or(0, |end| end - 3) } else { 0 };
                4 + feature
            }
            [b'/', b'*', ..] => text[2..].find("*/").map_or(text.len(), |end| end + 4),
            [b'*', b'/', ..] => 2,
            _ => return None,
        };
        Some(Self { len })
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The statements of a text, which semicolons separate where they are in no string and no comment.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut at = 0;
        while let Some(next) = text.as_bytes().get(at) {
            at += match next {
                b';' => {
                    rest = Some(&text[at + 1..]);
                    return Some(&text[..at]);
                }
                quote @ (b'\'' | b'"' | b'`') => quoted(&text.as_bytes()[at..], *quote),
                b'#' | b'-' | b'/' => Comment::at(&text[at..]).map_or(1, |comment| comment.len),
                _ => 1,
            };
        }
        rest = None;
        Some(text)
    })
}

/// The length of a quoted string or name at the beginning of `text`.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(next) = text.get(at) {
        match next {
            b'\\' if quote != b'`' => at += 2,
            next if *next == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each text also in capitals, behind blanks and comments, and as one of several statements.
    fn variations(text: &str) -> Vec<String> {
        let upper = text.to_uppercase();
        let before = ["", " ", "\n\t", "/* a ; ' */ ", "/**/", "-- a '\n", "# a\n", "--\n"];
        let plain = before.iter().flat_map(|before| [format!("{before}{text}"), format!("{before}{upper} ")]);
        let several = ["SELECT 1; ", ";", "INSERT INTO t VALUES ('a;\\'b', \"c\"\"d\"); ", "SELECT `a;b`;"];
        plain.chain(several.iter().map(|before| format!("{before}{text}"))).collect()
    }

    #[test]
    fn what_opens_a_transaction_is_seen() {
        for text in [
            "begin",
            "begin work",
            "begin pessimistic",
            "begin /*T! optimistic */",
            "/*! begin */",
            "/*!50000 begin */",
            "/*M!100100 begin */",
            "/*T! begin */",
            "/*T![feature] begin */",
            "start transaction",
            "start/**/transaction read only",
            "start transaction with consistent snapshot",
            "set autocommit=0",
            "set autocommit = off",
            "set @@autocommit := 0",
            "set @@session.autocommit=0",
            "set session autocommit = 0",
            "set time_zone = '+00:00', autocommit = 0",
            "set/**/autocommit=0",
            "set `autocommit` = 0",
            "set statement autocommit=0 for select 1",
            "set completion_type = 1",
            "commit and chain",
            "rollback work and chain",
            "commit release",
            "xa start 'a'",
            "lock tables t write",
        ] {
            for text in variations(text) {
                let effect = Effect::of(&text);
                assert!(effect.opens || effect.lasts, "{text:?}");
            }
        }
    }

    #[test]
    fn what_commits_or_rolls_back_is_seen() {
        for text in [
            "commit",
            "commit work",
            "commit and no chain no release",
            "rollback",
            "rollback and no chain",
            "/*! commit */",
            "create table t (a int)",
            "create/**/index i on t (a)",
            "create global temporary table t (a int) on commit delete rows",
            "create or replace view v as select 1",
            "drop table t",
            "drop database d",
            "alter table other comment = 'x'",
            "truncate table t",
            "truncate t",
            "rename table a to b",
            "grant select on t to u",
            "revoke all on t from u",
            "analyze table t",
            "optimize table t",
            "flush privileges",
            "unlock tables",
            "set password for u = 'x'",
            "import into t from 'x'",
        ] {
            for text in variations(text) {
                let effect = Effect::of(&text);
                assert_eq!((effect.ends, effect.opens, effect.lasts), (true, false, false), "{text:?}");
            }
        }
    }

    #[test]
    fn other_statements_leave_a_transaction_as_it_is() {
        for text in [
            "",
            ";",
            "select 1",
            "(select 1) union (select 2)",
            "with a as (select 1) select * from a",
            "insert into t values ('begin; commit')",
            "insert into t values ('it''s'), ('; set autocommit=0')",
            "insert into t values (\"; begin\")",
            "select 1 -- ; begin",
            "select 1 /* ; begin */ + 1",
            "select `;begin`",
            "update t set a = 'commit'",
            "delete from t",
            "replace into t values (1)",
            "values row(1)",
            "set time_zone = '+00:00'",
            "set @a = 1",
            "set transaction isolation level read committed",
            "rollback to savepoint a",
            "rollback work to a",
            "savepoint a",
            "release savepoint a",
            "create temporary table t (a int)",
            "drop temporary table t",
            "drop prepare a",
            "start slave",
            "beginning",
            "commits",
            "show tables",
            "explain select 1",
            "use test",
            "kill 5",
            "do sleep(1)",
            "load data local infile 'x' into table t",
            "select 'abc",
            "/* never ended",
            "é",
        ] {
            assert_eq!(Effect::of(text), Effect::default(), "{text:?}");
        }
    }

    #[test]
    fn the_last_of_several_statements_decides_what_is_open() {
        assert!(!Effect::of("begin; insert into t values (1); commit").opens);
        assert!(Effect::of("begin; commit; begin").opens);
        assert!(Effect::of("set autocommit=0; insert into t values (1); commit").lasts);
        assert!(Effect::of("insert into t values (1); commit; insert into t values (2)").ends);
    }

    #[test]
    fn no_text_panics() {
        let parts = ["begin", "'", "\"", "`", "\\", ";", "/*", "*/", "/*!", "/*T![", "--", "#", "\n", "é", " ", "]"];
        for a in parts {
            for b in parts {
                for c in parts {
                    for d in parts {
                        Effect::of(&format!("{a}{b}{c}{d}"));
                    }
                }
            }
        }
    }
}
