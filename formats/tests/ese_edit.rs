//! What a page refuses to take.

use reel_formats::ese::page::edit::EditPage;

fn page() -> EditPage {
    EditPage::create(32768, 7, 1, 0x2, 1).expect("a page size")
}

#[test]
fn a_key_whose_length_does_not_fit_its_field_is_refused() {
    let mut page = page();
    page.insert(0, 0, &[1; 0x1FFF], b"data", true).expect("the longest key");
    assert!(page.insert(1, 0, &[2; 0x2000], b"data", false).is_err());
    let node = page.view().node(0).expect("a node");
    assert_eq!((node.key().len(), node.data(), node.is_deleted()), (0x1FFF, &b"data"[..], true));
    assert_eq!(page.lines(), 1);
}

#[test]
fn a_page_takes_no_more_lines_than_it_can_count() {
    let mut page = page();
    let mut lines = 0;
    while page.insert(lines, 0, b"", b"", false).is_ok() {
        lines += 1;
    }
    assert_eq!((lines, page.lines()), (0xFFE, 0xFFE));
    assert!(page.view().free_bytes() > 1000, "room is not what it lacks");
}
