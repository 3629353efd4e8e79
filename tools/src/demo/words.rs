//! The words of the demo's customers.

use cx_model::CaseKind;

/// Given names.
pub const FIRST_NAMES: [&str; 32] = [
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kofi",
    "Lena", "Mateo", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Samir", "Tilda", "Umar",
    "Vera", "Wanda", "Ximena", "Yusuf", "Zoe", "Anton", "Bea", "Carlos", "Dalia", "Emil", "Freya",
];

/// Family names.
pub const LAST_NAMES: [&str; 32] = [
    "Abel", "Berg", "Costa", "Duarte", "Engel", "Fontana", "Garcia", "Holm", "Ito", "Jansen",
    "Keller", "Lopez", "Moreau", "Novak", "Okafor", "Petrov", "Quist", "Rossi", "Silva", "Tanaka",
    "Ulrich", "Vogel", "Weiss", "Xu", "Yilmaz", "Zeman", "Adler", "Brandt", "Conti", "Dietz",
    "Eriksen", "Fischer",
];

/// What the shop sells.
pub const ITEMS: [&str; 12] = [
    "lamp",
    "kettle",
    "desk",
    "chair",
    "rug",
    "mirror",
    "clock",
    "vase",
    "shelf",
    "blanket",
    "mug",
    "plant pot",
];

/// What agents answer.
pub const REPLIES: [&str; 4] = [
    "Thank you for waiting. I have looked into it and your parcel is on its way.",
    "I am sorry for the trouble. I have ordered a replacement for you.",
    "You can change that in your account under Orders.",
    "I have passed this on to the warehouse and will write again tomorrow.",
];

/// What a case is about.
pub fn subject(kind: CaseKind, pick: usize) -> &'static str {
    let subjects: [&str; 4] = match kind {
        CaseKind::Complaint => [
            "My parcel is days late and nobody tells me anything",
            "The delivery was promised for Tuesday",
            "I waited at home for nothing",
            "Where is my order?",
        ],
        CaseKind::Problem => [
            "The lamp arrived broken",
            "A part is missing",
            "I cannot pay with my card",
            "The app logs me out",
        ],
        _ => [
            "Do you have this in green?",
            "How do I return an item?",
            "Can I change the address?",
            "When is it back in stock?",
        ],
    };
    subjects[pick % subjects.len()]
}

/// Why a customer gave a score.
pub fn comment(score: i32, pick: usize) -> &'static str {
    let comments: [&str; 4] = match score {
        9.. => [
            "Always quick and friendly.",
            "Beautiful things and fast delivery.",
            "Your chat solved it in two minutes.",
            "I tell everyone about you.",
        ],
        7..=8 => [
            "Good, but shipping costs are high.",
            "Nice shop, the search could be better.",
            "All fine.",
            "Solid, nothing special.",
        ],
        _ => [
            "The delivery took forever.",
            "Nobody answered my question.",
            "I had to explain it three times.",
            "Broken on arrival, then a long wait.",
        ],
    };
    comments[pick % comments.len()]
}
