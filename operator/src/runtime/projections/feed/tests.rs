//! What a feed shows of what members say, and what it says of the way to them.

use coordd_api::discovery::ServiceView;

use super::*;

fn lost(refused: bool) -> Way {
    Way::Lost { since: Moment(7), why: "503".to_owned(), refused }
}

fn state(lines: &[(&str, Way)], refused: &str) -> State {
    let view = |path: &str| if path == refused { View::Refused("413".to_owned()) } else { View::Gone { zxid: 1 } };
    let paths = lines.iter().map(|(path, _)| *path).filter(|path| !path.is_empty());
    let services = paths.map(|path| (path.to_owned(), view(path))).collect();
    let lines = lines.iter().map(|(path, way)| ((*path).to_owned(), way.clone())).collect();
    let account = Account::new(Arc::default());
    State { views: Views::Children { list: View::Gone { zxid: 1 }, services }, account, lines }
}

fn child<'a>(views: &'a mut Views, path: &str) -> Option<&'a mut View<ServiceView>> {
    match views {
        Views::Children { services, .. } => services.get_mut(path),
        _ => None,
    }
}

fn inside(state: State) -> Inside {
    Inside { state: Mutex::new(state), written: BTreeMap::new(), began: Instant::now(), dirty: Notify::new() }
}

#[test]
fn an_event_that_was_on_its_way_does_not_come_after_what_was_read_meanwhile() {
    let inside = inside(state(&[("", Way::Open), ("/a", Way::Open)], ""));
    let place: Place<ServiceView> = child;
    let view = |zxid: i64| {
        let value =
            ServiceView { path: "/a".to_owned(), format: None, zxid, instances: Vec::new(), rejected: Vec::new() };
        View::There { zxid, value: Arc::new(value) }
    };
    for (said, shown) in [(view(12), 12), (view(10), 12), (View::Gone { zxid: 11 }, 12), (view(13), 13)] {
        inside.put("/a", place, said);
        assert_eq!(place(&mut inside.lock().views, "/a").unwrap().zxid(), Some(shown));
    }
    inside.put("/a", place, View::Refused("401".to_owned()));
    inside.put("/a", place, view(10));
    assert!(inside.is_known("/a", place), "after what is not known anything is news");
}

#[test]
fn a_list_that_is_older_than_what_was_written_is_not_known_to_be_whole() {
    let list = state(&[("", Way::Open)], "");
    assert!(list.is_as_new_as(&BTreeMap::new()), "nothing was written: there is nothing to be behind of");
    assert!(list.is_as_new_as(&[("/a".to_owned(), 1)].into()));
    assert!(!list.is_as_new_as(&[("/a".to_owned(), 1), ("/b".to_owned(), 2)].into()));
}

#[test]
fn who_is_followed_still_is_known_though_the_line_of_another_is_lost() {
    let both = state(&[("", Way::Open), ("/a", Way::Open), ("/b", lost(false))], "");
    assert!(!both.source().is_reachable());
    assert_eq!(both.reached().into_iter().collect::<Vec<_>>(), ["", "/a"]);
    let refused = state(&[("", Way::Open), ("/a", Way::Open), ("/b", lost(true))], "/b");
    assert!(refused.source().is_reachable(), "what is refused is not lost");
    let list = state(&[("", lost(false)), ("/a", Way::Open)], "");
    assert!(list.reached().is_empty(), "who knows whether it is still there");
}

#[test]
fn an_ensemble_that_has_refused_and_answers_no_more_is_lost() {
    let inside = inside(state(&[("", Way::Open), ("/a", Way::New { since: Moment(7) })], "/a"));
    let lost = |refused| Line::Lost { since: Instant::now(), why: "why".to_owned(), refused };
    let open = Line::Connected { member: "m".to_owned() };
    for (line, is_reachable) in [(&lost(true), true), (&lost(false), false), (&lost(true), true), (&open, true)] {
        inside.line("/a", line);
        assert_eq!(inside.lock().source().is_reachable(), is_reachable, "{line:?}");
    }
    inside.put("/a", child, View::Refused("413".to_owned()));
    inside.line("/a", &lost(false));
    assert!(!inside.lock().source().is_reachable(), "that it was too large does not say that it is there");
}
