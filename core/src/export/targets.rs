//! Which names tell peft where an adapter applies: short suffixes where they hit exactly the updated modules,
//! full paths otherwise.

use std::collections::BTreeSet;

/// Entries for `target_modules`: peft matches a module whose path equals an entry or ends with `.` + entry.
/// `modules` are the paths of all modules of the model that have a weight.
pub(super) fn target_modules(sites: &BTreeSet<&str>, modules: &BTreeSet<&str>) -> Vec<String> {
    let suffixes: Option<BTreeSet<&str>> =
        sites.iter().map(|site| shortest_suffix(site, sites, modules)).collect();
    match suffixes {
        Some(suffixes) => suffixes.into_iter().map(str::to_owned).collect(),
        None => sites.iter().map(|&site| site.to_owned()).collect(),
    }
}

/// The shortest dotted suffix of a path that hits updated modules only. `None` if that would need the number of a
/// layer: the choice is then not uniform and full paths are clearer.
fn shortest_suffix<'a>(site: &'a str, sites: &BTreeSet<&str>, modules: &BTreeSet<&str>) -> Option<&'a str> {
    let starts = site.rmatch_indices('.').map(|(dot, _)| dot + 1).chain([0]);
    let suffix = starts.map(|start| &site[start..]).find(|suffix| {
        modules.iter().filter(|module| is_hit(module, suffix)).all(|module| sites.contains(module))
    })?;
    let has_number = suffix.split('.').any(|part| part.parse::<usize>().is_ok());
    (!has_number).then_some(suffix)
}

/// peft's rule for one entry of a list.
pub(super) fn is_hit(module: &str, entry: &str) -> bool {
    module.strip_suffix(entry).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(sites: &[&str], modules: &[&str]) -> Vec<String> {
        target_modules(&sites.iter().copied().collect(), &modules.iter().copied().collect())
    }

    const MODULES: [&str; 7] = [
        "bert.layer.0.attention.self.query",
        "bert.layer.0.attention.output.dense",
        "bert.layer.0.output.dense",
        "bert.layer.1.attention.self.query",
        "bert.layer.1.attention.output.dense",
        "bert.layer.1.output.dense",
        "bert.pooler.dense",
    ];

    #[test]
    fn uniform_choices_get_short_names() {
        assert_eq!(targets(&[MODULES[0], MODULES[3]], &MODULES), ["query"]);
        assert_eq!(targets(&[MODULES[1], MODULES[4]], &MODULES), ["attention.output.dense"]);
    }

    #[test]
    fn other_choices_get_full_paths() {
        assert_eq!(targets(&[MODULES[0]], &MODULES), [MODULES[0]]);
        // `output.dense` would also hit `attention.output.dense`.
        assert_eq!(targets(&[MODULES[2], MODULES[5]], &MODULES), [MODULES[2], MODULES[5]]);
        assert!(!is_hit("bert.subquery", "query") && is_hit("query", "query"));
    }
}
