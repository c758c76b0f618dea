//! Regions, and the languages that they are named in.
//!
//! Which regions there are is the caller's matter; what people call them is not.

use super::element::{Element, text};

/// Bytes of a region's name.
const NAME_MAX: usize = 64;

/// The cloud's own regions: id, name in English, name in Chinese.
///
/// Source: the public list of regions and zones. Whoever runs this may have others, which are named
/// by their ids.
const NAMES: [(&str, &str, &str); 24] = [
    ("cn-qingdao", "China (Qingdao)", "华北1（青岛）"),
    ("cn-beijing", "China (Beijing)", "华北2（北京）"),
    ("cn-zhangjiakou", "China (Zhangjiakou)", "华北3（张家口）"),
    ("cn-huhehaote", "China (Hohhot)", "华北5（呼和浩特）"),
    ("cn-wulanchabu", "China (Ulanqab)", "华北6（乌兰察布）"),
    ("cn-hangzhou", "China (Hangzhou)", "华东1（杭州）"),
    ("cn-shanghai", "China (Shanghai)", "华东2（上海）"),
    ("cn-shenzhen", "China (Shenzhen)", "华南1（深圳）"),
    ("cn-heyuan", "China (Heyuan)", "华南2（河源）"),
    ("cn-guangzhou", "China (Guangzhou)", "华南3（广州）"),
    ("cn-chengdu", "China (Chengdu)", "西南1（成都）"),
    ("cn-hongkong", "China (Hong Kong)", "中国（香港）"),
    ("ap-southeast-1", "Singapore", "新加坡"),
    ("ap-southeast-3", "Malaysia (Kuala Lumpur)", "马来西亚（吉隆坡）"),
    ("ap-southeast-5", "Indonesia (Jakarta)", "印度尼西亚（雅加达）"),
    ("ap-southeast-6", "Philippines (Manila)", "菲律宾（马尼拉）"),
    ("ap-southeast-7", "Thailand (Bangkok)", "泰国（曼谷）"),
    ("ap-northeast-1", "Japan (Tokyo)", "日本（东京）"),
    ("ap-northeast-2", "South Korea (Seoul)", "韩国（首尔）"),
    ("us-west-1", "US (Silicon Valley)", "美国（硅谷）"),
    ("us-east-1", "US (Virginia)", "美国（弗吉尼亚）"),
    ("eu-central-1", "Germany (Frankfurt)", "德国（法兰克福）"),
    ("eu-west-1", "UK (London)", "英国（伦敦）"),
    ("me-east-1", "UAE (Dubai)", "阿联酋（迪拜）"),
];

/// A region and one of its zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// `cn-hangzhou`
    pub id: String,
    /// `cn-hangzhou-b`
    pub zone: String,
    /// The host name that its requests go to.
    pub endpoint: String,
}

impl Region {
    /// The fields in the SDKs' order.
    pub(super) fn element(&self, language: Language) -> Element {
        Element::Fields(vec![
            ("LocalName", text(local_name(&self.id, language))),
            ("RegionEndpoint", text(&self.endpoint)),
            ("RegionId", text(&self.id)),
            ("ZoneId", text(&self.zone)),
            ("ZoneName", Element::Text(zone_name(&self.id, &self.zone, language))),
        ])
    }
}

/// What people call a region.
fn local_name(id: &str, language: Language) -> &str {
    match NAMES.iter().find(|(own, ..)| *own == id) {
        Some((_, english, _)) if language == Language::English => english,
        Some((.., chinese)) => chinese,
        None => id,
    }
}

/// What people call a zone: `Hangzhou Zone B`; its id if that is not the region's with a letter.
fn zone_name(region: &str, zone: &str, language: Language) -> String {
    let letter = zone.strip_prefix(region).and_then(|rest| rest.strip_prefix('-'));
    let name = local_name(region, language);
    let is_letter = |text: &&str| text.len() == 1 && text.bytes().all(|b| b.is_ascii_lowercase());
    match letter.filter(is_letter) {
        Some(letter) if name != region => {
            let inside = name.split(['(', '（']).nth(1).unwrap_or(name);
            let city = inside.trim_end_matches([')', '）']);
            let word = if language == Language::English { "Zone " } else { "可用区" };
            format!("{city} {word}{}", letter.to_ascii_uppercase())
        }
        _ => zone.to_owned(),
    }
}

/// The language that regions and zones are named in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `zh-CN`
    Chinese,
    /// `en-US`, the default.
    English,
}

impl Language {
    /// The language of this name, in any case.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            word if word.eq_ignore_ascii_case("zh-CN") => Some(Self::Chinese),
            word if word.eq_ignore_ascii_case("en-US") => Some(Self::English),
            _ => None,
        }
    }
}

/// Whether a text can be the name of a region.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= NAME_MAX && text.bytes().all(is_plain)
}

#[cfg(test)]
#[track_caller]
fn check(region: &str, zone: &str, english: (&str, &str), chinese: (&str, &str)) {
    for (language, expected) in [(Language::English, english), (Language::Chinese, chinese)] {
        let found = (local_name(region, language), zone_name(region, zone, language));
        assert_eq!((found.0, found.1.as_str()), expected, "{region} {zone}");
    }
}

#[test]
fn regions_and_zones_have_names_in_two_languages() {
    let hangzhou = ("China (Hangzhou)", "Hangzhou Zone J");
    check("cn-hangzhou", "cn-hangzhou-j", hangzhou, ("华东1（杭州）", "杭州 可用区J"));
    let singapore = ("Singapore", "Singapore Zone A");
    check("ap-southeast-1", "ap-southeast-1-a", singapore, ("新加坡", "新加坡 可用区A"));
    let cellar = ("cellar", "cellar-a");
    check("cellar", "cellar-a", cellar, cellar);
    let odd = "cn-hangzhou-MAZ1(a,b)";
    check("cn-hangzhou", odd, ("China (Hangzhou)", odd), ("华东1（杭州）", odd));
    check("cn-hangzhou", "", ("China (Hangzhou)", ""), ("华东1（杭州）", ""));
    assert!(NAMES.iter().all(|(id, ..)| is_name(id)));
}
