//! Which Service a child of the path becomes.
//!
//! ```text
//!   com.acme.Orders ─ template ─► com-acme-orders ─► taken by another child? ─► com-acme-orders-5f3c1a2b
//! ```
//!
//! Rule: a name stays the name of the path that it was given to for as long as a Service bears it, whoever comes or
//! goes; a new child takes the plain name if nobody has it, else one with a hash of its path, and if that is taken too
//! it has none. Reason: a Service that changes its name is gone for all who call it, and one that changes whom it is
//! of sends them to another application.

use std::collections::{BTreeMap, BTreeSet};

use super::mark::hash;

const LONGEST: usize = 63;

/// A name for `original` as Kubernetes takes it for a Service (DNS-1035).
pub(super) fn sanitised(original: &str) -> String {
    let mut name = String::with_capacity(original.len());
    for c in original.chars().flat_map(char::to_lowercase) {
        let plain = c.is_ascii_lowercase() || c.is_ascii_digit();
        if plain {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert_str(0, if name.is_empty() { "s" } else { "s-" });
    }
    cut(&name, LONGEST)
}

fn cut(name: &str, longest: usize) -> String {
    let end = name.len().min(longest);
    name.get(..end).unwrap_or(name).trim_end_matches('-').to_owned()
}

fn with_hash(name: &str, path: &str) -> String {
    let hash = format!("{:08x}", hash(path) >> 32);
    format!("{}-{hash}", cut(name, LONGEST - 1 - hash.len()))
}

/// The name of one child by the template.
fn from_template(template: &str, projection: &str, child: &str) -> String {
    sanitised(&template.replace("{projection}", projection).replace("{name}", child))
}

/// What children are called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Name of the Service by path of the child; no two are alike.
    pub by_path: BTreeMap<String, String>,
    /// Paths whose name another child has, so that theirs bears a hash.
    pub collided: BTreeSet<String>,
    /// Paths that could have two names, both of which others have; and these.
    pub nameless: BTreeMap<String, [String; 2]>,
}

/// Names the children, each given as (path, name). `held` says which path each name that is in use is of.
pub(super) fn assign(
    template: &str,
    projection: &str,
    children: &[(&str, &str)],
    held: &BTreeMap<String, String>,
) -> Names {
    let mut names = Names::default();
    let mut taken: BTreeSet<String> = held.keys().cloned().collect();
    let mut new = Vec::new();
    for (path, child) in children {
        let plain = from_template(template, projection, child);
        let hashed = with_hash(&plain, path);
        let is_its = |name: &&String| held.get(*name).is_some_and(|holder| holder == path);
        if let Some(name) = [&plain, &hashed].into_iter().find(is_its) {
            names.give(path, name, *name == plain);
        } else {
            new.push((*path, sanitised(child) == *child, plain, hashed));
        }
    }
    // Of several, the one that is the name already has it.
    new.sort_by_key(|(_, exact, ..)| !exact);
    let mut others = Vec::new();
    for (path, _, plain, hashed) in new {
        if taken.insert(plain.clone()) {
            names.give(path, &plain, true);
        } else {
            others.push((path, plain, hashed));
        }
    }
    for (path, plain, hashed) in others {
        if taken.insert(hashed.clone()) {
            names.give(path, &hashed, false);
        } else {
            names.nameless.insert(path.to_owned(), [plain, hashed]);
        }
    }
    names
}

impl Names {
    fn give(&mut self, path: &str, name: &str, plain: bool) {
        self.by_path.insert(path.to_owned(), name.to_owned());
        if !plain {
            self.collided.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_what_kubernetes_takes() {
        for (original, expected) in [
            ("orders", "orders"),
            ("com.acme.OrderService", "com-acme-orderservice"),
            ("Orders_V2", "orders-v2"),
            ("2fast", "s-2fast"),
            ("--a--b--", "a-b"),
            ("ÄÖ", "s"),
            ("", "s"),
            ("g1/com.acme.A:1.0", "g1-com-acme-a-1-0"),
        ] {
            assert_eq!(sanitised(original), expected, "{original:?}");
        }
        assert_eq!(sanitised(&"x".repeat(80)).len(), 63);
    }

    fn named(children: &[(&str, &str)], has: &[(&str, &str)]) -> Names {
        let has = has.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        assign("{name}", "p", children, &has)
    }

    #[test]
    fn of_children_that_become_one_name_one_has_it_and_keeps_it() {
        let both = [("/s/A.b", "A.b"), ("/s/a-b", "a-b")];
        let names = named(&both, &[]);
        assert_eq!(names.by_path["/s/a-b"], "a-b", "it is the name already");
        assert!(names.by_path["/s/A.b"].starts_with("a-b-") && names.collided.contains("/s/A.b"));
        let names = named(&both, &[("a-b", "/s/A.b")]);
        assert_eq!(names.by_path["/s/A.b"], "a-b", "it had the name before");
        assert!(names.collided.contains("/s/a-b"));
    }

    #[test]
    fn a_name_that_a_service_bears_is_nobody_elses_even_when_its_child_has_gone() {
        let plain = named(&[("/s/a-b", "a-b")], &[("a-b", "/s/A.b")]);
        let hashed = plain.by_path["/s/a-b"].clone();
        assert!(hashed.starts_with("a-b-"), "{hashed}");
        let later = named(&[("/s/a-b", "a-b")], &[(&hashed, "/s/a-b")]);
        assert_eq!(later.by_path["/s/a-b"], hashed, "it keeps what it is called by when the plain name is free");
    }

    #[test]
    fn whoever_takes_the_name_that_another_would_be_given_gets_it_and_the_other_has_none() {
        let aimed = with_hash("a-b", "/s/A.b");
        let children = [("/s/A.b", "A.b"), ("/s/a-b", "a-b"), ("/s/aimed", aimed.as_str())];
        let names = named(&children, &[]);
        assert_eq!((names.by_path["/s/aimed"].as_str(), names.by_path.len()), (aimed.as_str(), 2));
        assert_eq!(names.nameless["/s/A.b"], ["a-b".to_owned(), aimed]);
    }

    #[test]
    fn a_template_stands_around_the_name() {
        let names = assign("{projection}-{name}-v1", "shop", &[("/s/Orders", "Orders")], &BTreeMap::new());
        assert_eq!(names.by_path["/s/Orders"], "shop-orders-v1");
    }

    proptest! {
        #[test]
        fn every_name_is_taken_by_kubernetes_and_no_two_are_alike(
            children in prop::collection::btree_set("[a-zA-Z0-9.:/_äß-]{0,80}", 0..40),
        ) {
            let children = children.into_iter().map(|name| (format!("/s/{name}"), name));
            let children: Vec<(String, String)> = children.collect();
            let borrowed: Vec<_> = children.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
            let names = named(&borrowed, &[]);
            let all: BTreeSet<&String> = names.by_path.values().collect();
            prop_assert_eq!(all.len(), children.len());
            for name in all {
                prop_assert!(name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()));
                prop_assert!(!name.ends_with('-'));
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            }
            // What they are called is remembered, and stays so.
            let held = names.by_path.iter().map(|(path, name)| (name.clone(), path.clone())).collect();
            prop_assert_eq!(&assign("{name}", "p", &borrowed, &held).by_path, &names.by_path);
        }
    }
}
