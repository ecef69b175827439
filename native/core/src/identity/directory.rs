//! The keys that a verifier accepts (identity.3).

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::name::{Name, Purpose};
use super::rule_s::{EnrolledKey, Thumbprint};
use crate::errors::{Code, Error, Result};
use crate::limits::MAX_DIRECTORY;
use crate::text;

/// Bytes of a directory file.
const MAX_FILE: usize = 256 << 20;

/// One entry: a key that passed rule S, the verifier's name for it, and what it may sign.
#[derive(Debug, PartialEq, Eq)]
pub struct Enrolled {
    pub name: Name,
    pub purpose: Purpose,
    pub key: EnrolledKey,
}

/// Names are unique, keys are unique. Cloning shares the entries.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    by_key: HashMap<Thumbprint, Arc<Enrolled>>,
    by_name: BTreeMap<Name, Arc<Enrolled>>,
}

impl Directory {
    /// Accept a key. The same triple again changes nothing. Raises `NameTaken`, `KeyTaken`, `ArgumentRange` when full.
    pub fn enrol(&mut self, key: EnrolledKey, name: Name, purpose: Purpose) -> Result<()> {
        if let Some(found) = self.by_name.get(&name)
            && found.key != key
        {
            let expected = format!("the key that {} has in this directory", name.as_str());
            return Err(Error::new(Code::NameTaken, expected, "another key"));
        }
        if let Some(found) = self.by_key.get(key.thumbprint()) {
            if found.name == name && found.purpose == purpose {
                return Ok(());
            }
            let expected = format!("the key's own entry: {} for {}", found.name.as_str(), found.purpose.as_str());
            return Err(Error::new(Code::KeyTaken, expected, format!("{} for {}", name.as_str(), purpose.as_str())));
        }
        if self.by_key.len() >= MAX_DIRECTORY {
            return Err(Error::new(Code::ArgumentRange, format!("at most {MAX_DIRECTORY} keys"), "one more"));
        }
        let entry = Arc::new(Enrolled { name: name.clone(), purpose, key });
        self.by_key.insert(*entry.key.thumbprint(), Arc::clone(&entry));
        self.by_name.insert(name, entry);
        Ok(())
    }

    /// The entry whose key has this thumbprint. Raises `KeyUnknown`.
    pub fn by_kid(&self, kid: &Thumbprint) -> Result<&Arc<Enrolled>> {
        self.by_key
            .get(kid)
            .ok_or_else(|| Error::new(Code::KeyUnknown, "the thumbprint of an enrolled key", text::hex(kid)))
    }

    /// Raises `NameUnknown`.
    pub fn by_name(&self, name: &str) -> Result<&Arc<Enrolled>> {
        let name = Name::parse(name)?;
        self.by_name.get(&name).ok_or_else(|| {
            Error::new(Code::NameUnknown, "a name of this directory", text::shown(name.as_str().as_bytes()))
        })
    }

    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Enrolled>> {
        self.by_name.values()
    }

    /// The file form (identity.3.4), one entry a line.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let entries = self.entries().map(|entry| FileEntry {
            name: entry.name.as_str().to_owned(),
            purpose: entry.purpose.as_str().to_owned(),
            key: text::hex(entry.key.as_bytes()),
        });
        let mut out = br#"{"format": "ama2sec-directory", "version": 1, "entries": ["#.to_vec();
        for (i, entry) in entries.enumerate() {
            out.extend_from_slice(if i == 0 { b"\n  " } else { b",\n  " });
            serde_json::to_writer(&mut out, &entry)
                .map_err(|_| Error::new(Code::Internal, "an entry as JSON", "a fault"))?;
        }
        out.extend_from_slice(b"\n]}\n");
        Ok(out)
    }

    /// Read the file form strictly; each key passes rule S again. Raises `DirectoryForm` and what `enrol` raises.
    pub fn from_json(data: &[u8]) -> Result<Directory> {
        let wrong = |got: String| Error::new(Code::DirectoryForm, "a directory file of version 1 (identity.3.4)", got);
        if data.len() > MAX_FILE {
            return Err(wrong(format!("{} bytes", data.len())));
        }
        let Object(file): Object<File> =
            serde_json::from_slice(data).map_err(|fault| wrong(format!("a fault at line {}", fault.line())))?;
        if file.format != "ama2sec-directory" || file.version != 1 {
            return Err(wrong(format!("version {} of another format", file.version)));
        }
        let mut listed: Vec<(String, Purpose, Vec<u8>)> = Vec::with_capacity(file.entries.len());
        for Object(entry) in file.entries {
            if listed.last().is_some_and(|(before, ..)| *before >= entry.name) {
                return Err(wrong(format!("names out of order at {}", text::shown(entry.name.as_bytes()))));
            }
            let key = text::unhex(&entry.key).ok_or_else(|| wrong("a key that is not lowercase hex".into()))?;
            let purpose = Purpose::from_text(&entry.purpose).map_err(|_| wrong("an unknown purpose".into()))?;
            listed.push((entry.name, purpose, key));
        }
        let mut made = Directory::default();
        for (name, purpose, key) in listed {
            made.enrol(EnrolledKey::enrol(&key)?, Name::parse(&name)?, purpose)?;
        }
        Ok(made)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    name: String,
    purpose: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u64,
    entries: Vec<Object<FileEntry>>,
}

/// What stands in the file as a JSON object: a derived `Deserialize` alone would take an array of the values as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Members(PhantomData)).map(Object)
    }
}
