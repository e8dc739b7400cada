//! Random churn over the whole coordinator: once it is quiet again, every acknowledged segment is whole and nothing else is left.

use nodio_wire::api::StandingState;
use nodio_wire::fleet::FleetError;
use proptest::prelude::*;

use super::donor::ROOM;
use super::{LOST_MS, Lie, Network, code, config, part};

#[derive(Debug, Clone)]
enum Event {
    Put { k: u8, n: u8, segments: u16 },
    Release { which: u8 },
    Down { donor: u32 },
    Up { donor: u32 },
    Lose { donor: u32 },
    Drain { donor: u32, cancel: bool },
    Shrink { donor: u32, shards: u64 },
    Lies { donor: u32, lie: Option<Lie> },
    Restart,
    Run { beats: usize },
}

fn lie() -> impl Strategy<Value = Option<Lie>> {
    let lies = [Lie::MadeUp, Lie::Replayed, Lie::WrongKind, Lie::NotAsked].map(Some);
    prop_oneof![Just(None), prop::sample::select(lies.to_vec())]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1u8..4, 2u8..4, 1u16..6).prop_map(|(k, parity, segments)| Event::Put { k, n: k + parity, segments }),
        1 => (0u8..12).prop_map(|which| Event::Release { which }),
        2 => (1u32..10).prop_map(|donor| Event::Down { donor }),
        2 => (1u32..10).prop_map(|donor| Event::Up { donor }),
        1 => (1u32..10).prop_map(|donor| Event::Lose { donor }),
        1 => (1u32..10, any::<bool>()).prop_map(|(donor, cancel)| Event::Drain { donor, cancel }),
        1 => (1u32..10, 0u64..20).prop_map(|(donor, shards)| Event::Shrink { donor, shards }),
        1 => (1u32..10, lie()).prop_map(|(donor, lie)| Event::Lies { donor, lie }),
        1 => Just(Event::Restart),
        3 => (1usize..30).prop_map(|beats| Event::Run { beats }),
    ]
}

/// Any donor may be away for any time, but only one ever loses what it holds: so no segment can be lost for good.
async fn play(events: Vec<Event>) {
    let mut network = Network::new(9, config()).await;
    let (mut written, mut unlucky) = (0u8, None);
    for event in events {
        match event {
            Event::Put { k, n, segments } => {
                written += 1;
                match network.put(part(written), code(k, n), segments).await {
                    Ok(()) | Err(FleetError::NotEnoughDonors { .. } | FleetError::Unavailable(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            Event::Release { which } if which <= written => network.release(part(which)).await,
            Event::Release { .. } => {}
            Event::Down { donor } => network.donor(donor).up = false,
            Event::Lose { donor } => network.donor(*unlucky.get_or_insert(donor)).held.clear(),
            Event::Up { donor } => network.donor(donor).up = true,
            Event::Drain { donor, cancel: false } => network.set_standing(donor, StandingState::Draining),
            Event::Drain { donor, cancel: true } => network.set_standing(donor, StandingState::Vetting),
            Event::Shrink { donor, shards } => network.donor(donor).capacity = shards * 1000,
            Event::Lies { donor, lie } => network.donor(donor).lie = lie,
            Event::Restart => network.restart().await,
            Event::Run { beats } => network.run(beats).await,
        }
    }
    for number in 1..=9 {
        network.set_standing(number, StandingState::Vetting);
        let donor = network.donor(number);
        (donor.up, donor.lie, donor.capacity) = (true, None, ROOM);
    }
    network.run(2 * (LOST_MS / super::BEAT_MS) as usize + 40).await;
    network.assert_settled().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn after_any_churn_the_network_settles_with_everything_whole(events in prop::collection::vec(event(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(play(events));
    }
}
