//! An order in which things that need one another can be made.
//!
//! Promises: what is needed at the making comes first wherever that can be; where two things need each
//! other in a circle, a thing that is made without what it names breaks it. The same input gives the same
//! order. Takes no notice of what things are.

use std::collections::{BTreeMap, BTreeSet};

/// A thing to be ordered: its number, and where it would stand without needs.
pub type Node = (i64, usize);

/// That one thing names another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// What names.
    pub of: i64,
    /// What is named.
    pub on: i64,
    /// It cannot be made without.
    pub is_hard: bool,
}

/// The numbers in order. Needs of what is not among the nodes, and of a thing on itself, do not count.
pub fn ordered(nodes: &[Node], needs: &[Need]) -> Vec<i64> {
    let ranks: BTreeMap<i64, usize> = nodes.iter().copied().collect();
    let mut waiting: BTreeMap<i64, (usize, usize)> = ranks.keys().map(|id| (*id, (0, 0))).collect();
    let mut needed_by: BTreeMap<i64, Vec<Need>> = BTreeMap::new();
    let distinct: BTreeSet<Need> = needs.iter().copied().collect();
    for need in distinct {
        if need.of == need.on || !ranks.contains_key(&need.of) || !ranks.contains_key(&need.on) {
            continue;
        }
        if let Some((hard, all)) = waiting.get_mut(&need.of) {
            *hard += usize::from(need.is_hard);
            *all += 1;
        }
        needed_by.entry(need.on).or_default().push(need);
    }
    // Three queues by how much is unmet: nothing, what is named only, what is needed.
    let mut queues: BTreeSet<(u8, usize, i64)> =
        waiting.iter().map(|(id, unmet)| (urgency(*unmet), ranks[id], *id)).collect();
    let mut order = Vec::with_capacity(ranks.len());
    while let Some((_, _, id)) = queues.pop_first() {
        order.push(id);
        waiting.remove(&id);
        for need in needed_by.remove(&id).unwrap_or_default() {
            let Some(unmet) = waiting.get_mut(&need.of) else { continue };
            queues.remove(&(urgency(*unmet), ranks[&need.of], need.of));
            unmet.0 -= usize::from(need.is_hard);
            unmet.1 -= 1;
            queues.insert((urgency(*unmet), ranks[&need.of], need.of));
        }
    }
    order
}

fn urgency((hard, all): (usize, usize)) -> u8 {
    match (hard, all) {
        (0, 0) => 0,
        (0, _) => 1,
        (_, _) => 2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn need(of: i64, on: i64, is_hard: bool) -> Need {
        Need { of, on, is_hard }
    }

    #[test]
    fn what_is_needed_comes_first() {
        let nodes = [(1, 0), (2, 1), (3, 2), (4, 3)];
        let needs = [need(1, 4, true), need(4, 3, true), need(2, 2, true), need(3, 9, true)];
        assert_eq!(ordered(&nodes, &needs), [2, 3, 4, 1]);
    }

    #[test]
    fn a_circle_is_broken_where_names_are_enough() {
        let nodes = [(1, 0), (2, 1), (3, 2)];
        let needs = [need(1, 2, true), need(2, 3, false), need(3, 1, true)];
        assert_eq!(ordered(&nodes, &needs), [2, 1, 3]);
        let needs = [need(1, 2, true), need(2, 1, true)];
        assert_eq!(ordered(&nodes, &needs), [3, 1, 2]);
    }

    proptest! {
        #[test]
        fn everything_is_made_once_and_after_its_needs(
            pairs in proptest::collection::vec((0i64..30, 0i64..30, any::<bool>()), 0..120),
        ) {
            let nodes: Vec<Node> = (0..30).map(|id| (id, 0)).collect();
            // Needs that point downwards only make no circle.
            let needs: Vec<Need> = pairs.iter().filter(|(of, on, _)| of > on)
                .map(|(of, on, is_hard)| need(*of, *on, *is_hard)).collect();
            let order = ordered(&nodes, &needs);
            prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 30);
            let at = |id: i64| order.iter().position(|found| *found == id);
            for need in needs {
                prop_assert!(at(need.of) > at(need.on));
            }
        }
    }
}
