//! Names of the mailboxes every user starts with, by language.

use crate::model::mailbox::SpecialUse;

/// Language, Sent, Trash, Drafts, Junk.
const NAMES: [[&str; 5]; 20] = [
    ["en", "Sent Mail", "Trash", "Drafts", "Junk"],
    ["cs", "Odeslané", "Koš", "Koncepty", "Nevyžádané"],
    ["da", "Sendt", "Papirkurv", "Kladder", "Uønsket"],
    ["de", "Gesendet", "Papierkorb", "Entwürfe", "Spam"],
    ["es", "Enviados", "Papelera", "Borradores", "Spam"],
    ["et", "Saadetud kirjad", "Prügikast", "Mustandid", "Rämpspost"],
    ["fi", "Lähetetyt", "Roskakori", "Luonnokset", "Roskaposti"],
    ["fr", "Envoyés", "Corbeille", "Brouillons", "Indésirables"],
    ["hu", "Elküldött", "Kuka", "Piszkozatok", "Levélszemét"],
    ["it", "Inviata", "Cestino", "Bozze", "Indesiderata"],
    ["lt", "Išsiųsti", "Šiukšliadėžė", "Juodraščiai", "Brukalas"],
    ["lv", "Nosūtītās", "Miskaste", "Melnraksti", "Mēstules"],
    ["nl", "Verzonden", "Prullenbak", "Concepten", "Ongewenst"],
    ["no", "Sendt", "Papirkurv", "Utkast", "Søppelpost"],
    ["pl", "Wysłane", "Kosz", "Szkice", "Spam"],
    ["pt", "Enviados", "Lixeira", "Rascunhos", "Lixo eletrônico"],
    ["ru", "Отправленные", "Корзина", "Черновики", "Спам"],
    ["sv", "Skickat", "Papperskorg", "Utkast", "Skräppost"],
    ["tr", "Gönderilmiş", "Çöp", "Taslaklar", "İstenmeyen"],
    ["uk", "Надіслані", "Кошик", "Чернетки", "Спам"],
];

const USES: [SpecialUse; 4] =
    [SpecialUse::Sent, SpecialUse::Trash, SpecialUse::Drafts, SpecialUse::Junk];

/// The names in a language tag like `de` or `pt-BR`; English if there are none.
pub(super) fn default_names(language: &str) -> impl Iterator<Item = (SpecialUse, &'static str)> {
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    let names = NAMES.iter().find(|names| names[0].eq_ignore_ascii_case(primary));
    USES.into_iter().zip(names.unwrap_or(&NAMES[0]).iter().skip(1).copied())
}
