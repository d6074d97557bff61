//! Lanes in memory: when they are ready, whose turn it is, what leases leave behind.

use super::*;

fn lanes(count: LaneId) -> Lanes {
    let mut lanes = Lanes::default();
    for lane in 1..=count {
        lanes.add(lane, format!("r{lane}"), "a".into());
        lanes.note(lane, 10);
    }
    lanes
}

fn hold(lanes: &mut Lanes, lane: LaneId, event: i64) -> DeliveryId {
    let id: DeliveryId = format!("evt_01JDFV3M4X0000000000000000/r{lane}/a/e-{event}").parse().unwrap();
    let held = Held {
        lane,
        event,
        name: String::new(),
        state: None,
        settling: false,
        ties: Ties::default(),
        is_fresh: false,
        origin: None,
        bytes: 0,
    };
    lanes.hold(id.clone(), held);
    id
}

#[test]
fn a_lane_is_ready_when_its_time_has_come() {
    let mut lanes = lanes(2);
    lanes.note(2, 5);
    lanes.note(2, 7);
    lanes.wake(9);
    assert_eq!(lanes.turn(9, |_, _| true), [2]);
    assert_eq!(lanes.next_due(), Some(10));
    lanes.set_due(2, None);
    lanes.wake(10);
    assert_eq!(lanes.turn(9, |_, _| true), [1]);
    assert_eq!(lanes.next_due(), None);
}

#[test]
fn turns_go_round_and_pass_over_lanes_without_room() {
    let mut lanes = lanes(4);
    lanes.wake(10);
    hold(&mut lanes, 2, 1);
    assert_eq!(lanes.turn(9, |_, lane| lane.under_way() < 2), [3, 4, 1, 2]);
    assert_eq!(lanes.turn(9, |_, lane| lane.under_way() < 1), [3, 4, 1]);
    assert_eq!(lanes.turn(1, |number, _| number != 3), [4]);
}

#[test]
fn a_closed_lane_is_not_looked_at_before_its_time_unless_all_are_opened() {
    let mut lanes = lanes(2);
    lanes.wake(10);
    lanes.close(1, 50);
    lanes.note(1, 5);
    lanes.wake(49);
    assert_eq!((lanes.turn(9, |_, _| true), lanes.next_due()), (vec![2], Some(50)));
    lanes.wake(50);
    assert_eq!((lanes.turn(9, |_, _| true), lanes.next_due()), (vec![1, 2], None));
    lanes.set_due(1, None);
    lanes.close(2, 90);
    lanes.set_due(2, Some(99));
    assert_eq!(lanes.next_due(), Some(99), "when it has room nothing is due");
    lanes.set_due(2, Some(60));
    lanes.open_all();
    assert_eq!(lanes.next_due(), Some(60));
}

#[test]
fn a_lane_has_room_again_when_an_attempt_has_ended_not_only_when_its_outcome_is_kept() {
    let mut lanes = lanes(1);
    let (one, other) = (hold(&mut lanes, 1, 1), hold(&mut lanes, 1, 2));
    let counts = |lanes: &Lanes| lanes.get(1).map(|lane| (lane.leased(), lane.under_way()));
    lanes.settle(&one);
    lanes.settle(&one);
    assert_eq!(counts(&lanes), Some((2, 1)));
    assert!(lanes.get(1).unwrap().is_leased(1, ""), "nobody else attempts it");
    lanes.resume(&one);
    assert_eq!(counts(&lanes), Some((2, 2)));
    lanes.settle(&other);
    lanes.end(&other, None);
    lanes.end(&one, None);
    assert_eq!(counts(&lanes), Some((0, 0)));
}

#[test]
fn a_released_lease_is_looked_at_again_and_an_ended_one_is_not() {
    let mut lanes = lanes(1);
    let id = hold(&mut lanes, 1, 1);
    lanes.set_due(1, None);
    assert!(lanes.get(1).unwrap().is_leased(1, ""));
    lanes.release(&id);
    assert_eq!((lanes.next_due(), lanes.get(1).unwrap().under_way()), (Some(i64::MIN), 0));
    let id = hold(&mut lanes, 1, 1);
    lanes.set_due(1, None);
    lanes.end(&id, None);
    assert_eq!((lanes.next_due(), lanes.held(&id).is_none()), (None, true));
}
