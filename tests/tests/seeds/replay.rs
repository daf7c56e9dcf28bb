//! Records that apply to the small database of the fuzz target `ese_replay`.

use crate::replay::Mode;
use crate::replay::base::{
    DBTIME, INDEX, LEAF_LINES, LEAVES, LONG_VALUES, SMALL, TABLE, TABLE_SPACE, space_header,
};
use crate::script::{Around, LEAF, Script, UNIQUE, Written};
use reel_formats::ese::log::record::{RecordType, SplitOper, SplitType};

/// Flags of pages.
const INTERNAL: u32 = 0x804;
const INTERNAL_ROOT: u32 = 0x805;

/// Changes of lines: committed, rolled back, left open.
fn lines(script: &mut Script) {
    let [first, second, third] = LEAVES;
    script.begin();
    script.insert(TABLE, second, 1, b"key", b"301", b"inserted");
    let inserted = script.version;
    let written = script.node(RecordType::REPLACE, TABLE, second, 2);
    script.add(written.short(46, 21).short(48, 30).part(44, &[b'r'; 30]));
    let written = script.node(RecordType::REPLACE_D, TABLE, second, 3);
    script.add(written.short(46, 22).short(48, 22).part(44, &[2, 0x20, 2, b'x', b'y']));
    let written = script.node(RecordType::FLAG_DELETE, TABLE, second, 4);
    script.add(written);
    let written = script.node(RecordType::FLAG_INSERT, TABLE, second, 4);
    script.add(written.part(44, b"key33").part(46, b"d"));
    let written = script.node(RecordType::FLAG_DELETE, TABLE, second, 5);
    script.add(written);
    let written = script.node(RecordType::FLAG_INSERT_AND_REPLACE_DATA, TABLE, second, 5);
    script.version += 1;
    let id = script.version;
    script.add(written.long(48, id).part(44, b"key34").part(46, b"new data"));
    let written = script.node(RecordType::DELTA, SMALL, SMALL, 0);
    script.add(written.long(48, 5).short(52, 4).part(44, b"a").part(46, b""));
    let written = script.node(RecordType::DELTA64, SMALL, SMALL, 1);
    script.add(written.wide(48, 5).short(56, 0).part(44, b"b").part(46, b""));
    let written = script.page(RecordType::UNDO_INFO, second, 6).long(32, 900).long(36, TABLE);
    script.add(written.short(48, 2).part(44, b"key35").part(46, b"").part(54, b"earlier data"));
    // An UndoInfo record changes no page.
    script.dbtime -= 1;
    script.dbtimes.insert(second, script.dbtime - 2);
    let written = script.node(RecordType::UNDO, TABLE, second, 1).long(32, inserted);
    script.add(written.short(48, 1).byte(50, 1).part(44, b"key301").part(46, b""));
    script.add(Written::new(RecordType::ROLLBACK).short(1, 1).byte(3, 1));

    script.begin();
    let written = script.page(RecordType::DELETE, first, 0);
    script.add(written);
    let written = script.page(RecordType::SET_EXTERNAL_HEADER, first, 0);
    script.add(written.part(44, b"key1"));
    let written = script.page(RecordType::SCRUB, third, 0);
    script.add(written.long(44, 1));
    script.insert(INDEX, INDEX, 1, b"", b"same", b"ab");
    script.insert(LONG_VALUES, LONG_VALUES, 6, b"", &4u32.to_be_bytes(), &[1; 8]);
    script.commit();
    script.begin();
    script.insert(INDEX, INDEX, 3, b"", b"same", b"bc");
    script.insert(TABLE, first, 0, b"key", b"100", b"open");
    let written = script.node(RecordType::FLAG_DELETE, SMALL, SMALL, 2);
    script.add(written);
    let written = script.node(RecordType::REPLACE, SMALL, SMALL, 3);
    script.add(written.short(46, 12).short(48, 2).part(44, b"rr"));
    let written = script.node(RecordType::DELTA, SMALL, SMALL, 4);
    script.add(written.long(48, 1).short(52, 0).part(44, b"e").part(46, b""));
}

/// A split of each type, alone and with the level above.
fn splits(script: &mut Script) {
    let [first, second, third] = LEAVES;
    script.begin();
    script.in_macro(|script| {
        let kinds = (SplitType::VERTICAL, SplitOper::INSERT);
        let written = script.split(SMALL, 41, Around::default(), kinds, (6, 0, 7));
        script.add(written.long(80, INTERNAL_ROOT));
        let written = script.cause(RecordType::INSERT, SMALL, SMALL);
        script.add(written.part(44, b"h").part(48, b"data"));
    });
    script.in_macro(|script| {
        let kinds = (SplitType::VERTICAL, SplitOper::REPLACE);
        let written = script.split(LONG_VALUES, 42, Around::default(), kinds, (1, 0, 6));
        script.add(written.long(80, INTERNAL_ROOT));
        let written = script.cause(RecordType::REPLACE, LONG_VALUES, LONG_VALUES);
        script.add(written.short(46, 40).short(48, 3).part(44, b"new"));
    });
    let follow = |script: &mut Script| {
        let kinds = (SplitType::RIGHT, SplitOper::NONE);
        let written = script.split(TABLE, 0, Around::default(), kinds, (0, 0, 0));
        script.add(written);
    };
    script.in_macro(|script| {
        follow(script);
        let around = Around { left: 0, right: third, parent: TABLE };
        let kinds = (SplitType::RIGHT, SplitOper::INSERT);
        let written = script.split(second, 43, around, kinds, (1, 4, LEAF_LINES + 1));
        script.add(written.long(88, 0).long(92, 0).part(100, b"key33").part(96, b"key").part(98, b"key3"));
        let written = script.cause(RecordType::INSERT, TABLE, second);
        script.add(written.part(46, b"key").part(44, b"301").part(48, b"data"));
    });
    script.in_macro(|script| {
        follow(script);
        let around = Around { left: 0, right: 0, parent: TABLE };
        let kinds = (SplitType::APPEND, SplitOper::INSERT);
        let written = script.split(third, 44, around, kinds, (8, 8, LEAF_LINES + 1));
        script.add(written.part(100, b"key58"));
        let written = script.cause(RecordType::INSERT, TABLE, third);
        script.add(written.part(44, b"key58").part(48, b"data"));
    });
    script.in_macro(|script| {
        let kinds = (SplitType::VERTICAL, SplitOper::INSERT);
        let written = script.split(TABLE, 45, Around::default(), kinds, (0, 0, 6));
        script.add(written.long(76, INTERNAL).long(80, 0x801));
        let around = Around { left: 0, right: second, parent: TABLE };
        let kinds = (SplitType::RIGHT, SplitOper::FLAG_INSERT_AND_REPLACE);
        let written = script.split(first, 46, around, kinds, (5, 4, LEAF_LINES));
        script.add(written.part(100, b"key14"));
        let written = script.cause(RecordType::FLAG_INSERT_AND_REPLACE_DATA, TABLE, first);
        script.version += 1;
        let id = script.version;
        script.add(written.long(48, id).part(44, b"key15").part(46, b"again"));
    });
}

/// What is above follows a merge.
fn above(script: &mut Script, line: usize, flags: u8) {
    let written = script.merge(TABLE, line, Around::default(), 0, flags);
    script.add(written);
}

/// Parts of leaves go to their neighbours, then all of them.
fn merges(script: &mut Script) {
    let [first, second, third] = LEAVES;
    script.begin();
    script.in_macro(|script| {
        above(script, 0, 1);
        let written = script.merge(first, 0, Around { left: 0, right: second, parent: TABLE }, 3, 0);
        script.add(written.short(82, 6).part(86, b"key16"));
    });
    script.in_macro(|script| {
        above(script, 2, 1);
        let written = script.merge(third, 0, Around { left: second, right: 0, parent: TABLE }, 6, 0);
        script.add(written.short(82, 1).part(86, b"key52"));
    });
    script.in_macro(|script| {
        above(script, 0, 2);
        let written = script.merge(first, 0, Around { left: 0, right: second, parent: TABLE }, 2, 4);
        script.add(written);
    });
    script.in_macro(|script| {
        above(script, 1, 2);
        let written = script.merge(third, 0, Around { left: second, right: 0, parent: TABLE }, 5, 4);
        script.add(written.short(82, 5));
    });
    script.commit();
}

/// A leaf goes to its left neighbour, whose line takes its key; another goes because it is empty.
fn merges_away(script: &mut Script) {
    let [first, second, third] = LEAVES;
    script.begin();
    script.in_macro(|script| {
        above(script, 1, 3);
        let written = script.merge(second, 0, Around { left: first, right: third, parent: TABLE }, 5, 4);
        script.add(written.short(82, 7));
    });
    script.in_macro(|script| {
        above(script, 1, 2);
        let written = script.merge(third, 0, Around { left: first, right: 0, parent: TABLE }, 1, 4);
        script.add(written);
    });
    script.commit();
}

/// A page moves, then the root of its tree with those of its extents.
fn moves(script: &mut Script) {
    let [first, second, third] = LEAVES;
    script.begin();
    script.dbtime += 1;
    let written = script.moved(second, 40, Around { left: first, right: third, parent: TABLE }, 1);
    script.add(written);
    for pgno in 41..44 {
        script.dbtime += 1;
        let written = Written::new(RecordType::NEW_PAGE).short(1, 1).byte(3, 1);
        script.add(written.long(4, pgno).long(8, 7).wide(12, script.dbtime));
    }
    script.in_macro(|script| {
        let written = Written::new(RecordType::ROOT_PAGE_MOVE).wide(1, script.dbtime).byte(9, 1);
        script.add(written.long(10, 7).short(14, 1));
        let roots = [(TABLE, 1), (TABLE_SPACE[0], 2), (TABLE_SPACE[1], 4)];
        for ((pgno, flags), dest) in roots.into_iter().zip(41..) {
            let (front, tags) = script.parts_of(pgno);
            let written = script.moved(pgno, dest, Around::default(), 0).long(84, flags);
            script.add(written.long_part(88, &front).long_part(92, &tags));
        }
        let written = script.part_of_page(RecordType::SET_EXTERNAL_HEADER, SMALL, 0, UNIQUE);
        script.add(written.part(44, &space_header(2, 41, 0, 1)));
        let before = script.dbtimes.get(&first).copied().unwrap_or(DBTIME);
        for line in 0..2 {
            let written = script.part_of_page(RecordType::REPLACE, first, line, UNIQUE).wide(16, before);
            script.add(written.short(46, 20 + line).short(48, 4).part(44, b"root"));
        }
    });
    script.commit();
}

/// Trees and pages are made, the file grows and shrinks, the engine ends.
fn space(script: &mut Script) {
    script.begin();
    script.dbtime += 1;
    let written = Written::new(RecordType::NEW_PAGE).short(1, 1).byte(3, 1).long(4, 40).long(8, 11);
    script.add(written.wide(12, script.dbtime));
    let written = script.page(RecordType::CREATE_SINGLE_EXTENT_FDP, 41, 0).long(32, 12).long(36, 1);
    script.add(written.long(40, 2).long(44, 0x800));
    let written = script.page(RecordType::CREATE_MULTIPLE_EXTENT_FDP, 43, 0).long(32, 13).long(36, 44);
    script.add(written.long(40, 45).long(44, 1).long(48, 6).long(52, 0x800));
    let written = script.page(RecordType::CONVERT_FDP2, SMALL, 0).long(32, 8).long(36, 46).long(40, 47);
    let written = written.long(44, 1).long(48, 46).long(52, 2).long(56, 4).long(60, 1).long(64, 0x800);
    script.add(written);
    let [first, second, third] = LEAVES;
    let written = script.page(RecordType::EMPTY_TREE, TABLE, 0).long(36, TABLE).long(40, 7);
    let emptied = [first, second, third].map(|pgno| {
        let before = script.before(pgno);
        [&before.to_le_bytes()[..], &pgno.to_le_bytes(), &LEAF.to_le_bytes()].concat()
    });
    script.add(written.part(44, &emptied.concat()));
    script.commit();
    let mut extend = Written::new(RecordType::EXTEND_DB).long(1, 5);
    extend.0.extend_from_slice(&[1, 60, 0, 0, 0]);
    script.add(extend);
    let written = Written::new(RecordType::SET_DB_VERSION).byte(1, 1).long(2, 0x620);
    script.add(written.long(6, 110).long(10, 20));
    script.dbtime += 1;
    let written = Written::new(RecordType::SHRINK_DB3).byte(1, 1).long(2, 52).long(6, 8);
    script.add(written.wide(10, script.dbtime));
    script.add(Written::new(RecordType::TERM2));
}

/// Pages that have a change already whose other pages do not: images stand in for them.
fn images(script: &mut Script) {
    let [first, second, third] = LEAVES;
    script.begin();
    script.dbtime = DBTIME - 1;
    script.in_macro(|script| {
        let kinds = (SplitType::VERTICAL, SplitOper::INSERT);
        let written = script.split(SMALL, 41, Around::default(), kinds, (6, 0, 7));
        let image = script.dehydrated(SMALL);
        script.add(written.long(80, INTERNAL_ROOT).long(102, 1).long_part(106, &image));
        let written = script.cause(RecordType::INSERT, SMALL, SMALL);
        script.add(written.part(44, b"h").part(48, b"data"));
        script.dbtimes.clear();
    });
    script.dbtime = DBTIME - 1;
    script.in_macro(|script| {
        let kinds = (SplitType::APPEND, SplitOper::INSERT);
        let written = script.split(third, 42, Around::default(), kinds, (8, 8, LEAF_LINES + 1));
        script.add(written.part(100, b"key58"));
        let written = script.cause(RecordType::INSERT, TABLE, third);
        script.add(written.part(44, b"key58").part(48, b"data"));
        script.dbtimes.clear();
    });
    script.dbtime = DBTIME - 1;
    let (front, tags) = script.parts_of(second);
    script.dbtime += 1;
    let written = script.moved(second, 43, Around { left: 0, right: 0, parent: TABLE }, 1);
    script.add(written.long_part(88, &front).long_part(92, &tags));
    // The page has its change and more, its neighbour has not.
    script.dbtimes.clear();
    script.dbtime = DBTIME + 9;
    let written = script.page(RecordType::DELETE, first, 0);
    script.add(written);
    script.dbtimes.clear();
    script.dbtime = DBTIME + 2;
    script.in_macro(|script| {
        let written = script.merge(first, 0, Around { left: 0, right: second, parent: TABLE }, 2, 4);
        let image = script.dehydrated(first);
        script.add(written.long(88, 1).long_part(92, &image));
    });
    script.commit();
}

/// A database that the logs hold whole.
fn created(script: &mut Script) {
    script.begin();
    let path = b"b\0";
    let mut create = Written::new(RecordType::CREATE_DB).short(1, 1).byte(3, 2).put(12, &[5; 28]);
    create = create.short(40, path.len()).byte(42, 4);
    create.0.extend_from_slice(&[2, 0, 0, 0]);
    create.0.extend_from_slice(path);
    script.add(create);
    let written = script.page(RecordType::CREATE_MULTIPLE_EXTENT_FDP, 1, 0).byte(3, 2).long(32, 1);
    script.add(written.long(36, 2).long(40, 3).long(44, 0).long(48, 16).long(52, 0x800));
    let written = script.page(RecordType::CREATE_SINGLE_EXTENT_FDP, 4, 0).byte(3, 2).long(32, 2);
    script.add(written.long(36, 1).long(40, 1).long(44, 0x800));
    let written = script.node(RecordType::INSERT, 4, 4, 0).byte(3, 2);
    script.add(written.part(44, b"key").part(48, b"data"));
    script.commit();
    let detach = Written::new(RecordType::DETACH_DB).short(1, 1).byte(3, 2);
    script.add(detach.part(4, path));
}

/// An input whose open changes have the highest update counters that pages can have.
pub fn last_counters() -> Vec<u8> {
    let mut script = Script::new(Mode(Mode::UNDO).page_size());
    script.begin();
    script.dbtime = u64::MAX - 7;
    script.insert(INDEX, INDEX, 1, b"", b"same", b"ab");
    script.insert(INDEX, INDEX, 2, b"", b"same", b"ac");
    [&[Mode::UNDO][..], &script.bytes].concat()
}

type Story = fn(&mut Script);

/// Inputs of the fuzz target, by name.
pub fn all() -> Vec<(String, Vec<u8>)> {
    const UNDO: u8 = Mode::UNDO;
    let stories: [(&str, Story, &[u8]); 8] = [
        ("lines", lines, &[UNDO, Mode::CHECK, Mode::DIRTY_BASE | Mode::TWO_LOGS | Mode::RESUME]),
        ("splits", splits, &[UNDO, Mode::CHECK, Mode::DIRTY_BASE | Mode::TWO_LOGS | Mode::RESUME]),
        ("merges", merges, &[UNDO]),
        ("merges-away", merges_away, &[UNDO, Mode::CHECK]),
        ("moves", moves, &[UNDO, Mode::CHECK]),
        ("space", space, &[UNDO, Mode::CHECK]),
        ("images", images, &[UNDO]),
        ("created", created, &[UNDO | Mode::CREATE]),
    ];
    let mut inputs = Vec::new();
    for (name, story, modes) in stories {
        let large = UNDO | Mode::CREATE | Mode::LARGE_PAGES | Mode::UNCHECKED;
        for mode in modes.iter().copied().chain([UNDO | Mode::CREATE | Mode::UNCHECKED, large]) {
            let mut script = Script::new(Mode(mode).page_size());
            story(&mut script);
            inputs.push((format!("{name}-{mode:02x}"), [&[mode][..], &script.bytes].concat()));
        }
    }
    inputs
}
