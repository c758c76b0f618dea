//! Rows of every shape, cut anywhere.

use proptest::prelude::*;

use super::*;

const SHAPES: [Shape; 6] = [
    Shape::Fixed(4),
    Shape::Byte(8),
    Shape::Short(8000),
    Shape::Long(8009),
    Shape::Pointer,
    Shape::Chunks,
];

/// One row of [`SHAPES`], whole; cells from the second on may be NULL.
fn whole(nulls: [bool; 6], text: &[u8]) -> Vec<u8> {
    let mut row = vec![ROW, 1, 2, 3, 4];
    let number = [8, 1, 2, 3, 4, 5, 6, 7, 8];
    row.extend(if nulls[1] { &[0][..] } else { &number });
    match nulls[2] {
        true => row.extend([0xff; 2]),
        false => {
            row.extend((text.len() as u16).to_le_bytes());
            row.extend(text);
        }
    }
    row.extend(if nulls[3] {
        vec![0; 4]
    } else {
        [&6_u32.to_le_bytes()[..], b"\x38\0abcd"].concat()
    });
    match nulls[4] {
        true => row.push(0),
        false => {
            row.push(16);
            row.extend([7; 16 + 8]);
            row.extend((text.len() as u32).to_le_bytes());
            row.extend(text);
        }
    }
    match nulls[5] {
        true => row.extend([0xff; 8]),
        false => {
            row.extend((u64::MAX - 1).to_le_bytes());
            for chunk in text.chunks(3) {
                row.extend((chunk.len() as u32).to_le_bytes());
                row.extend(chunk);
            }
            row.extend([0; 4]);
        }
    }
    row
}

/// The same row with its NULLs left out.
fn compact(nulls: [bool; 6], text: &[u8]) -> Vec<u8> {
    let bits =
        nulls.iter().enumerate().fold(0_u8, |bits, (at, null)| bits | (u8::from(*null) << at));
    let mut row = vec![COMPACT_ROW, bits];
    let all = whole(nulls, text);
    let mut reader = Reader::new(&all[1..]);
    for (shape, null) in SHAPES.into_iter().zip(nulls) {
        let from = reader.position();
        shape.cell(&mut reader).unwrap();
        if !null {
            row.extend(&all[1 + from..1 + reader.position()]);
        }
    }
    row
}

/// Walks over `input` in pieces of `step` bytes.
fn walked(input: &[u8], step: usize) -> Result<(Vec<u8>, u64), Malformed> {
    let (mut walker, mut out, mut rows) = (Walker::new(SHAPES.to_vec()), Vec::new(), 0);
    let mut held = Vec::new();
    for piece in input.chunks(step) {
        held.extend(piece);
        let walked = walker.walk(&held, &mut out, usize::MAX)?;
        held.drain(..walked.consumed);
        assert!(held.len() <= HEAD_MAX + step, "{} bytes are held back", held.len());
        rows += walked.rows;
    }
    assert!(walker.is_between() && held.is_empty());
    Ok((out, rows))
}

proptest! {
    #[test]
    fn any_cut_gives_whole_rows(
        rows in prop::collection::vec((prop::array::uniform6(any::<bool>()), prop::collection::vec(any::<u8>(), 0..40)), 1..6),
        step in 1_usize..60,
    ) {
        let (mut input, mut expected) = (Vec::new(), Vec::new());
        for (mut nulls, text) in rows.clone() {
            nulls[0] = false;
            let is_compact = nulls[1];
            expected.extend(whole(nulls, &text));
            input.extend(if is_compact { compact(nulls, &text) } else { whole(nulls, &text) });
        }
        prop_assert_eq!(walked(&input, step), Ok((expected, rows.len() as u64)));
    }

    #[test]
    fn anything_is_walked_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut walker = Walker::new(SHAPES.to_vec());
        let input = [&[ROW][..], &input].concat();
        if let Ok(walked) = walker.walk(&input, &mut Vec::new(), usize::MAX) {
            prop_assert!(walked.consumed <= input.len());
        }
    }
}

#[test]
fn a_row_end_is_where_it_stops() {
    let row = whole([false; 6], b"abc");
    let input = [row.clone(), row.clone(), row.clone()].concat();
    let mut out = Vec::new();
    let walked = Walker::new(SHAPES.to_vec()).walk(&input, &mut out, row.len() + 1).unwrap();
    assert_eq!(walked, Walked { consumed: 2 * row.len(), rows: 2 });
    assert_eq!(out, input[..2 * row.len()]);
}

#[test]
fn what_its_type_forbids_is_refused() {
    let too_long = [ROW, 0, 0, 0, 0, 9];
    assert_eq!(walked(&too_long, 100), Err(Malformed { column: 1 }));
    // NULL where the column takes none.
    let mut not_null = compact([false; 6], b"");
    not_null[1] |= 1;
    assert_eq!(walked(&not_null, 100), Err(Malformed { column: 0 }));
}

#[test]
fn decimals_are_filled_up() {
    let numbers: [&[u8]; 5] =
        [&[5, 1, 7, 0, 0, 0], &[0], &[1, 0], &[17; 18], &[9, 0, 1, 2, 3, 4, 5, 6, 7, 8]];
    let (mut input, mut expected) = (Vec::new(), Vec::new());
    for number in numbers {
        input.extend([&[ROW, 1][..], number, &[2]].concat());
        let mut filled = number.to_vec();
        if number[0] > 0 {
            filled.resize(1 + usize::from(NUMBER_BYTES), 0);
            filled[0] = NUMBER_BYTES;
        }
        expected.extend([&[ROW, 1][..], &filled, &[2]].concat());
    }
    for step in 1..input.len() {
        let shapes = vec![Shape::Fixed(1), Shape::Number(NUMBER_BYTES), Shape::Fixed(1)];
        let (mut walker, mut out, mut held) = (Walker::new(shapes), Vec::new(), Vec::new());
        for piece in input.chunks(step) {
            held.extend(piece);
            let walked = walker.walk(&held, &mut out, usize::MAX).unwrap();
            held.drain(..walked.consumed);
        }
        assert_eq!(out, expected, "in pieces of {step} bytes");
    }
    let mut walker = Walker::new(vec![Shape::Number(5)]);
    let too_long = [&[ROW, 9][..], &[0; 9]].concat();
    assert_eq!(walker.walk(&too_long, &mut Vec::new(), 100), Err(Malformed { column: 0 }));
}
