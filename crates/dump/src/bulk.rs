//! The fast path over the rows of `INSERT … VALUES`: one table look-up and one shift a byte.
//!
//! Promises only to recognise rows of plain literals; at anything unusual (nested parentheses,
//! comments, backticks, variables, line ends with CR, the delimiter) it stops before that byte and
//! leaves it to the lexer. It assumes backslash escapes and a character set without quotes inside
//! characters.
//!
//! The automaton is "shift-based": a table entry holds, for one byte, the next state of every
//! state in 6-bit fields, and the current state is the shift that selects its field. There is no
//! branch and no dependent load in the chain, so short strings cost as little as long ones. What is
//! left above a state's 6 bits does no harm: a shift looks only at those.

use crate::rules::Rules;

/// Where the automaton stands between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Outside rows, where one may begin: before the first, or after a comma.
    BeforeRow,
    /// Outside rows, after one.
    AfterRow,
    /// Inside a row, outside strings.
    InRow,
    /// Inside a `'` string.
    SingleQuoted,
    /// Inside a `"` string.
    DoubleQuoted,
}

/// What a run did.
pub(crate) struct Reached {
    /// Bytes that were recognised.
    pub(crate) consumed: usize,
    /// Rows that ended within them.
    pub(crate) rows: u64,
    /// The state after them.
    pub(crate) state: State,
}

// Shifts: 6 apart. Only that of ROW_END is odd, which makes rows easy to count.
const BEFORE_ROW: u64 = 0;
const AFTER_ROW: u64 = 6;
const IN_ROW: u64 = 12;
const DASH: u64 = 18;
const SINGLE: u64 = 24;
const SINGLE_ESCAPE: u64 = 30;
const DOUBLE: u64 = 36;
const DOUBLE_ESCAPE: u64 = 42;
const UNUSUAL: u64 = 48;
const ROW_END: u64 = 55;
const STATES: [u64; 10] = [
    BEFORE_ROW,
    AFTER_ROW,
    IN_ROW,
    DASH,
    SINGLE,
    SINGLE_ESCAPE,
    DOUBLE,
    DOUBLE_ESCAPE,
    UNUSUAL,
    ROW_END,
];

/// The bits of a state.
const STATE: u64 = 63;

/// Bytes between two looks at whether something unusual came.
const BLOCK: usize = 64;

/// The table for one delimiter.
pub(crate) struct Bulk {
    table: Box<[u64; 256]>,
}

impl Bulk {
    /// `delimiter` is the first byte of the current delimiter.
    pub(crate) fn new(delimiter: u8, rules: Rules) -> Bulk {
        let mut table = Box::new([0; 256]);
        for (byte, entry) in (0..=255u8).zip(table.iter_mut()) {
            for state in STATES {
                *entry |= next(state, byte, delimiter, rules) << state;
            }
        }
        Bulk { table }
    }

    /// Goes over `bytes` as far as everything is ordinary. Never stops inside an escape.
    pub(crate) fn run(&self, bytes: &[u8], from: State) -> Reached {
        let mut state = shift_of(from);
        let mut consumed = 0;
        let mut rows = 0;
        for block in bytes.as_chunks::<BLOCK>().0 {
            let (after, ended) = self.block(block, state);
            if after == UNUSUAL {
                break;
            }
            state = after;
            rows += ended;
            consumed += BLOCK;
        }
        // What is left is shorter than a block or has something unusual in it.
        let mut settled = (consumed, rows, state);
        for &byte in bytes[consumed..].iter().take(BLOCK) {
            state = (self.table[usize::from(byte)] >> state) & STATE;
            if state == UNUSUAL {
                break;
            }
            consumed += 1;
            rows += state & 1;
            if !matches!(state, SINGLE_ESCAPE | DOUBLE_ESCAPE | DASH) {
                settled = (consumed, rows, state);
            }
        }
        let (consumed, rows, state) = match settled.2 {
            SINGLE_ESCAPE | DOUBLE_ESCAPE | DASH => self.step_back(bytes, settled),
            _ => settled,
        };
        Reached { consumed, rows, state: state_of(state) }
    }

    /// The state after a block, and the rows that end in it.
    #[inline]
    fn block(&self, block: &[u8; BLOCK], mut state: u64) -> (u64, u64) {
        // The states are noted and counted in a second, vectorised loop: this one is bound by its
        // chain of shifts.
        let mut states = [0u8; BLOCK];
        for (noted, &byte) in states.iter_mut().zip(block) {
            state = self.table[usize::from(byte)] >> (state & STATE);
            *noted = state as u8;
        }
        let rows: u8 = states.iter().map(|noted| noted & 1).sum();
        (state & STATE, u64::from(rows))
    }

    /// The last block ended right after a backslash or a dash: that byte is given back.
    fn step_back(&self, bytes: &[u8], settled: (usize, u64, u64)) -> (usize, u64, u64) {
        let (consumed, rows, state) = settled;
        debug_assert!(matches!(bytes[consumed - 1], b'\\' | b'-'));
        let before = match state {
            SINGLE_ESCAPE => SINGLE,
            DOUBLE_ESCAPE => DOUBLE,
            _ => IN_ROW,
        };
        (consumed - 1, rows, before)
    }
}

fn shift_of(state: State) -> u64 {
    match state {
        State::BeforeRow => BEFORE_ROW,
        State::AfterRow => AFTER_ROW,
        State::InRow => IN_ROW,
        State::SingleQuoted => SINGLE,
        State::DoubleQuoted => DOUBLE,
    }
}

fn state_of(shift: u64) -> State {
    match shift {
        IN_ROW => State::InRow,
        SINGLE => State::SingleQuoted,
        DOUBLE => State::DoubleQuoted,
        BEFORE_ROW => State::BeforeRow,
        _ => State::AfterRow,
    }
}

/// One transition.
fn next(state: u64, byte: u8, delimiter: u8, rules: Rules) -> u64 {
    match state {
        UNUSUAL => UNUSUAL,
        _ if byte == 0 || byte == b'\r' => UNUSUAL,
        SINGLE_ESCAPE if byte == b'\n' => UNUSUAL,
        DOUBLE_ESCAPE if byte == b'\n' => UNUSUAL,
        SINGLE_ESCAPE => SINGLE,
        DOUBLE_ESCAPE => DOUBLE,
        SINGLE => match byte {
            b'\'' => IN_ROW,
            b'\\' => SINGLE_ESCAPE,
            _ => SINGLE,
        },
        DOUBLE => match byte {
            b'"' => IN_ROW,
            b'\\' => DOUBLE_ESCAPE,
            _ => DOUBLE,
        },
        _ if byte == delimiter => UNUSUAL,
        _ if byte == b'$' && rules.client.knows_dollar_quotes() => UNUSUAL,
        BEFORE_ROW => match byte {
            b'(' => IN_ROW,
            b' ' | b'\n' | b'\t' => BEFORE_ROW,
            _ => UNUSUAL,
        },
        AFTER_ROW | ROW_END => match byte {
            b',' => BEFORE_ROW,
            b' ' | b'\n' | b'\t' => AFTER_ROW,
            _ => UNUSUAL,
        },
        IN_ROW | DASH => match byte {
            b')' => ROW_END,
            b'\'' => SINGLE,
            b'"' if rules.ansi_quotes => UNUSUAL,
            b'"' => DOUBLE,
            b'-' if state == DASH => UNUSUAL,
            b'-' => DASH,
            b'(' | b'`' | b'#' | b'/' | b'\\' | b'@' => UNUSUAL,
            _ => IN_ROW,
        },
        _ => UNUSUAL,
    }
}
