//! Reads typed values out of a document, and collects what is wrong with them.

use std::{collections::HashSet, ops::RangeInclusive};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Problem;
use crate::policy::{json::Json, quoted};

/// A place in the document, and what is there.
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) json: Option<&'a Json>,
}

impl Place<'_> {
    pub(super) fn scalar(&self) -> Option<&Value> {
        match self.json {
            Some(Json::Scalar(value)) => Some(value),
            _ => None,
        }
    }

    fn number(&self) -> Option<&Value> {
        self.scalar().filter(|value| value.is_number())
    }

    fn found(&self) -> String {
        match self.json {
            None => "missing".into(),
            Some(Json::List(_)) => "a list".into(),
            Some(Json::Object(_)) => "an object".into(),
            Some(Json::Scalar(value)) => value.as_str().map_or_else(|| value.to_string(), quoted),
        }
    }
}

/// Whatever cannot be read is a problem and `None`; reading goes on with what comes after it.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Problem>,
    /// The names of the rules so far.
    pub(super) names: HashSet<String>,
    /// Whether a rule was read that matches everything.
    pub(super) all_matched: bool,
}

impl Reader {
    pub(super) fn users(&mut self, place: &Place<'_>) -> Option<Vec<String>> {
        let [users] = self.object(place, ["users"])?;
        self.optional(&users, Vec::new(), Self::user_ids)
    }

    pub(super) fn user_ids(&mut self, place: &Place<'_>) -> Option<Vec<String>> {
        let must = "must be Slack user ids (U… or W…), not names: names can be taken over";
        self.texts(place, |text| is_slack_id(text, &['U', 'W']), must, "Slack user ids")
    }

    pub(super) fn optional<T>(
        &mut self,
        place: &Place<'_>,
        default: T,
        read: impl FnOnce(&mut Self, &Place<'_>) -> Option<T>,
    ) -> Option<T> {
        if place.json.is_none() { Some(default) } else { read(self, place) }
    }

    /// The places of these members, and no other member.
    pub(super) fn object<'a, const N: usize>(
        &mut self,
        place: &Place<'a>,
        names: [&str; N],
    ) -> Option<[Place<'a>; N]> {
        let Some(json @ Json::Object(members)) = place.json else {
            self.refuse(place, "must be an object");
            return None;
        };
        for (index, (name, _)) in members.iter().enumerate() {
            if members[..index].iter().any(|(earlier, _)| earlier == name) {
                self.tell(place, &format!("must not have {} twice", quoted(name)));
            } else if !names.contains(&name.as_str()) {
                let known = names.join(", ");
                self.tell(place, &format!("must not have {}, only: {known}", quoted(name)));
            }
        }
        Some(names.map(|name| Place { path: format!("{}.{name}", place.path), json: json.member(name) }))
    }

    /// The places of all members, whatever their names.
    pub(super) fn members<'a>(&mut self, place: &Place<'a>) -> Option<Vec<(&'a str, Place<'a>)>> {
        let Some(Json::Object(members)) = place.json else {
            self.refuse(place, "must be an object");
            return None;
        };
        let place_of = |(name, json): &'a (String, Json)| {
            let path = format!("{}[{}]", place.path, quoted(name));
            (name.as_str(), Place { path, json: Some(json) })
        };
        Some(members.iter().map(place_of).collect())
    }

    pub(super) fn list<'a>(&mut self, place: &Place<'a>) -> Option<Vec<Place<'a>>> {
        let Some(Json::List(elements)) = place.json else {
            self.refuse(place, "must be a list");
            return None;
        };
        let place_of = |(index, json)| Place { path: format!("{}[{index}]", place.path), json: Some(json) };
        Some(elements.iter().enumerate().map(place_of).collect())
    }

    pub(super) fn texts(
        &mut self,
        place: &Place<'_>,
        valid: fn(&str) -> bool,
        must: &str,
        what: &str,
    ) -> Option<Vec<String>> {
        let element = |reader: &mut Self, element: &Place<'_>| match element.number() {
            // JSON has numbers, and an id is none: 012345678901 is not 12345678901.
            Some(number) => {
                let told =
                    format!("{must}; it is the number {number}: {what} are written as text, in quotes");
                reader.tell(element, &told);
                None
            }
            None => reader.text(element, valid, must),
        };
        let texts: Vec<_> = self.list(place)?.iter().map(|place| element(self, place)).collect();
        texts.into_iter().collect()
    }

    pub(super) fn text(&mut self, place: &Place<'_>, valid: fn(&str) -> bool, must: &str) -> Option<String> {
        let text = place.json.and_then(Json::text).filter(|text| valid(text)).map(str::to_owned);
        self.some(text, place, must)
    }

    /// One of the words of an enum.
    pub(super) fn word<T: DeserializeOwned>(&mut self, place: &Place<'_>, must: &str) -> Option<T> {
        let word = place.scalar().and_then(|value| serde_json::from_value(value.clone()).ok());
        self.some(word, place, must)
    }

    pub(super) fn whole(&mut self, place: &Place<'_>, range: RangeInclusive<u32>, must: &str) -> Option<u32> {
        let number = place.scalar().and_then(|value| u32::try_from(value.as_u64()?).ok());
        self.some(number.filter(|number| range.contains(number)), place, must)
    }

    pub(super) fn some<T>(&mut self, value: Option<T>, place: &Place<'_>, must: &str) -> Option<T> {
        if value.is_none() {
            self.refuse(place, must);
        }
        value
    }

    /// Tells what must be, and what is.
    pub(super) fn refuse(&mut self, place: &Place<'_>, must: &str) {
        self.tell(place, &format!("{must}; it is {}", place.found()));
    }

    pub(super) fn tell(&mut self, place: &Place<'_>, message: &str) {
        let (path, message) = (place.path.clone(), message.to_owned());
        self.problems.push(Problem { path, rule: None, name: None, message });
    }
}

/// Whether a text is an id that Slack gives, of one of these kinds.
pub(super) fn is_slack_id(text: &str, kinds: &[char]) -> bool {
    text.len() >= 3
        && text.starts_with(kinds)
        && text.chars().all(|character| character.is_ascii_uppercase() || character.is_ascii_digit())
}
