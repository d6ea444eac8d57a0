//! Which Service a child of the path becomes.
//!
//! ```text
//!   com.acme.Orders ─ template ─► com-acme-orders ─► taken by another child? ─► com-acme-orders-5f3c1a2b
//! ```
//!
//! Rule: a child keeps the name that it has; of several new ones that become the same name, the one that is it already
//! has it, else the first, and the others bear a hash of what they are. Reason: a Service that changes its name when a
//! neighbour comes is gone for all who call it.

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

fn with_hash(name: &str, original: &str) -> String {
    let hash = format!("{:08x}", hash(original) >> 32);
    format!("{}-{hash}", cut(name, LONGEST - 1 - hash.len()))
}

/// The name of one child by the template.
fn from_template(template: &str, projection: &str, child: &str) -> String {
    sanitised(&template.replace("{projection}", projection).replace("{name}", child))
}

/// What children are called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Name of the Service by path of the child.
    pub by_path: BTreeMap<String, String>,
    /// Paths whose name another child has, so that theirs bears a hash.
    pub collided: BTreeSet<String>,
}

/// Names the children, each given as (path, name). `has` says which path a name is that of already.
pub(super) fn assign(
    template: &str,
    projection: &str,
    children: &[(&str, &str)],
    has: impl Fn(&str) -> Option<String>,
) -> Names {
    let mut alike: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
    for (path, child) in children {
        alike.entry(from_template(template, projection, child)).or_default().push((path, child));
    }
    let mut names = Names::default();
    for (name, alike) in alike {
        let holder = has(&name).and_then(|path| alike.iter().find(|(other, _)| *other == path));
        let exact = || alike.iter().find(|(_, child)| sanitised(child) == *child);
        let first = holder.or_else(exact).or_else(|| alike.first()).map(|(path, _)| *path);
        for (path, child) in &alike {
            if Some(*path) == first {
                names.by_path.insert((*path).to_owned(), name.clone());
            } else {
                names.by_path.insert((*path).to_owned(), with_hash(&name, child));
                names.collided.insert((*path).to_owned());
            }
        }
    }
    names
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
        let has = |name: &str| has.iter().find(|(held, _)| *held == name).map(|(_, path)| (*path).to_owned());
        assign("{name}", "p", children, has)
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
    fn a_template_stands_around_the_name() {
        let names = assign("{projection}-{name}-v1", "shop", &[("/s/Orders", "Orders")], |_| None);
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
            let has = |name: &str| names.by_path.iter().find(|(_, held)| *held == name).map(|(path, _)| path.clone());
            prop_assert_eq!(&assign("{name}", "p", &borrowed, has).by_path, &names.by_path);
        }
    }
}
