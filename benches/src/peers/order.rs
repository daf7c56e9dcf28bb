//! The order of the peers, which turns from round to round.

/// The order of so many peers in a round, counted from 0.
///
/// The order of a round zigzags (0, 1, last, 2, last but one, ...), and each round begins one further. The distances between
/// neighbours then all differ, so that no peer follows the same one twice in as many rounds as there are peers; an odd
/// number of peers is filled up by one that does nothing, and then a few follow the same one twice.
pub fn turned(peers: usize, round: usize) -> Vec<usize> {
    let places = peers.next_multiple_of(2);
    let zigzag = (0..places).map(|at| if at % 2 == 1 { at.div_ceil(2) } else { places - at / 2 });
    zigzag.map(|at| (at + round) % places).filter(|peer| *peer < peers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Who runs before a peer in each of the first rounds; nobody before the first of a round.
    fn before(peers: usize, rounds: usize, peer: usize) -> Vec<Option<usize>> {
        let order = |round| {
            let order = turned(peers, round);
            order.iter().position(|other| *other == peer).and_then(|at| at.checked_sub(1)).map(|at| order[at])
        };
        (0..rounds).map(order).collect()
    }

    #[test]
    fn every_peer_runs_once_in_each_round() {
        for peers in 1..12 {
            for round in 0..2 * peers {
                let mut order = turned(peers, round);
                order.sort_unstable();
                assert_eq!(order, (0..peers).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn of_an_even_number_nobody_follows_the_same_one_twice() {
        for peers in (2..12).step_by(2) {
            for peer in 0..peers {
                let before = before(peers, peers, peer);
                assert_eq!(before.iter().collect::<HashSet<_>>().len(), peers, "{peer} after {before:?}");
            }
        }
    }

    #[test]
    fn in_three_rounds_nobody_always_follows_the_same_one() {
        for peers in 2..12 {
            for peer in 0..peers {
                let before = before(peers, 3, peer);
                assert!(before.iter().collect::<HashSet<_>>().len() > 1, "{peer} after {before:?}");
            }
        }
    }
}
