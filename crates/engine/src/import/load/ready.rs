//! Lines that the reader wrote beside the text: whether they are the stream of a plan.
//!
//! They were written without a look at the table, each literal in the one way that is right for
//! columns which take it as text. So they are right for a batch if the matrix has that way for all
//! that was seen at each position; else [`super::encode`] writes anew. No opinion of its own on what
//! is proven.

use dump::values::lines::{Lines, Numbers, Seen};

use super::{Check, Literal, LoadPlan, Number, Slot, Way, way};

/// Whether these lines are what the plan's statement takes.
pub(super) fn suits(plan: &LoadPlan, lines: Lines<'_>) -> bool {
    let positions = || plan.slots.iter().zip(lines.seen);
    let is_wide = positions().any(|(slot, seen)| seen.wide && slot.check == Check::Utf8);
    plan.slots.len() == lines.seen.len()
        && positions().all(|(slot, seen)| takes(*slot, *seen))
        && (!is_wide || is_utf8(plan, lines.text))
}

/// Whether a position takes all of what was seen there as the lines have it.
fn takes(slot: Slot, seen: Seen) -> bool {
    let is = |literal, wanted| way(slot.takes, slot.nullable, literal) == Some(wanted);
    let text =
        || !slot.hex && is(Literal::Text, Way::Decode) && !(seen.wide && is_ascii_only(slot));
    let number = |number| !slot.hex && is(Literal::Number(number), Way::Copy);
    (!seen.null || is(Literal::Null, Way::Null))
        && (!seen.text || text())
        && (seen.numbers.digits == 0 || extremes(seen.numbers).into_iter().all(number))
}

fn is_ascii_only(slot: Slot) -> bool {
    slot.check == Check::Ascii
}

/// The shortest and the longest: what the matrix says of both it says of all.
fn extremes(numbers: Numbers) -> [Number; 2] {
    let Numbers { digits, scales, negative, exponent } = numbers;
    let scale = scales.ilog2();
    [digits.trailing_zeros(), digits.ilog2()].map(|digits| Number {
        digits,
        scale,
        negative,
        exponent,
    })
}

/// Whether all fields are valid that have to be. What is between them is ASCII, so they are if the whole is.
fn is_utf8(plan: &LoadPlan, text: &[u8]) -> bool {
    let is_valid = |text| super::encode::is_valid(Check::Utf8, plan.client, text);
    let is_field = |(field, slot): (_, &Slot)| slot.check != Check::Utf8 || is_valid(field);
    // No field has a tab or line feed: these are escaped.
    let mut lines = text.split(|byte| *byte == b'\n');
    is_valid(text)
        || lines.all(|line| line.split(|byte| *byte == b'\t').zip(&plan.slots).all(is_field))
}
