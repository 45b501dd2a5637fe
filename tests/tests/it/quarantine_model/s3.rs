//! One key of one bucket, as S3 treats it.

/// What an object holds, and so its ETag: the same bytes have the same.
pub(super) type Content = u8;

/// A version id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Id {
    /// What is written while versions are not kept; a PUT then replaces it, wherever it is in the order.
    Null,
    /// Given once, never again.
    Real(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    pub(super) id: Id,
    /// `None` is a delete marker.
    pub(super) content: Option<Content>,
}

/// What a request without version id may ask of the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Condition {
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match`.
    Is(Content),
}

/// 412: the condition does not hold.
pub(super) struct Refused;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) versioning: Versioning,
    /// Oldest first: the last one is the current one.
    pub(super) versions: Vec<Version>,
    pub(super) ids_given: u8,
}

impl Key {
    /// What a request without version id gets.
    pub(super) fn current(&self) -> Option<Content> {
        self.versions.last().and_then(|version| version.content)
    }

    /// What a request gets, with or without version id.
    pub(super) fn get(&self, id: Option<Id>) -> Option<Content> {
        match id {
            None => self.current(),
            Some(id) => self.versions.iter().find(|version| version.id == id)?.content,
        }
    }

    pub(super) fn is_latest(&self, id: Id) -> bool {
        self.versions.last().is_some_and(|version| version.id == id)
    }

    /// Versions with bytes beside this one.
    pub(super) fn others(&self, id: Id) -> usize {
        self.versions.iter().filter(|version| version.id != id && version.content.is_some()).count()
    }

    /// Whether there is a null version with bytes that is not current. In a suspended bucket whatever is put on top,
    /// an object or a marker, takes its place: it is lost.
    pub(super) fn has_buried_null(&self) -> bool {
        self.get(Some(Id::Null)).is_some() && !self.is_latest(Id::Null)
    }

    /// Versions with bytes that a later look, `now`, no longer has, or no longer has as current.
    pub(super) fn taken_away_in(&self, now: &Key) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(|version| {
            let covered = self.is_latest(version.id) && !now.is_latest(version.id);
            version.content.is_some() && (covered || !now.versions.contains(version))
        })
    }

    pub(super) fn put(&mut self, content: Content, condition: Condition) -> Result<(), Refused> {
        self.check(condition)?;
        self.add(Some(content));
        Ok(())
    }

    /// DELETE without version id.
    pub(super) fn delete(&mut self, condition: Condition) -> Result<(), Refused> {
        self.check(condition)?;
        match self.versioning {
            Versioning::Never => self.versions.clear(),
            Versioning::Enabled | Versioning::Suspended => self.add(None),
        }
        Ok(())
    }

    /// DELETE with version id: S3 knows no condition for it.
    pub(super) fn delete_version(&mut self, id: Id) {
        self.versions.retain(|version| version.id != id);
    }

    fn check(&self, condition: Condition) -> Result<(), Refused> {
        let holds = match condition {
            Condition::None => true,
            Condition::Absent => self.current().is_none(),
            Condition::Is(etag) => self.current() == Some(etag),
        };
        if holds { Ok(()) } else { Err(Refused) }
    }

    fn add(&mut self, content: Option<Content>) {
        let id = match self.versioning {
            Versioning::Enabled => {
                self.ids_given += 1;
                Id::Real(self.ids_given)
            }
            Versioning::Never | Versioning::Suspended => {
                self.delete_version(Id::Null);
                Id::Null
            }
        };
        self.versions.push(Version { id, content });
    }
}
