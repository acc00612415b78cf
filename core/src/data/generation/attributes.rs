//! Meaning representations of the E2E challenge in its own form, `name[The Mill], eatType[pub]`.

/// The attributes whose names the LoRA recipe writes differently.
const RENAMED: [(&str, &str); 3] =
    [("eatType", "Type"), ("priceRange", "price"), ("familyFriendly", "family friendly")];

/// `name : The Mill | Type : pub` for `name[The Mill], eatType[pub]`. Values stay as they are. The error is the
/// part that is no attribute.
pub(super) fn as_context(meaning: &str) -> Result<String, &str> {
    let mut attributes = Vec::new();
    let mut rest = meaning.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('[').ok_or(rest)?;
        let (value, after) = after.split_once(']').ok_or(rest)?;
        let name = name.trim();
        let name = RENAMED.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours);
        attributes.push(format!("{name} : {}", value.trim()));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    Ok(attributes.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_get_the_names_of_the_recipe() {
        let meaning =
            "name[The Mill], eatType[pub], priceRange[more than £30], familyFriendly[no], near[A, B]";
        let context =
            "name : The Mill | Type : pub | price : more than £30 | family friendly : no | near : A, B";
        assert_eq!(as_context(meaning), Ok(context.to_owned()));
        assert_eq!(as_context("name[A], pub"), Err("pub"));
        assert_eq!(as_context("name[A"), Err("name[A"));
    }
}
