/** The emoji that the simulated workspace knows by name; a test compares them with its table. */
export const EMOJI = {
  "arrows_counterclockwise": "🔄",
  "bell": "🔔",
  "black_circle": "⚫",
  "bust_in_silhouette": "👤",
  "calendar": "📅",
  "closed_lock_with_key": "🔐",
  "eyes": "👀",
  "hourglass": "⌛",
  "hourglass_flowing_sand": "⏳",
  "information_source": "ℹ",
  "key": "🔑",
  "large_blue_circle": "🔵",
  "large_green_circle": "🟢",
  "large_yellow_circle": "🟡",
  "lock": "🔒",
  "memo": "📝",
  "no_entry": "⛔",
  "no_entry_sign": "🚫",
  "red_circle": "🔴",
  "rotating_light": "🚨",
  "tada": "🎉",
  "wastebasket": "🗑",
  "warning": "⚠",
  "wave": "👋",
  "white_check_mark": "✅",
  "white_circle": "⚪",
  "x": "❌",
};

const AS_PICTURE = "\uFE0F"; // else a text font that has the sign, too, draws it without colours

/** Put signs in the place of emoji names. @param {string} text */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (written, name) => (Object.hasOwn(EMOJI, name) ? EMOJI[name] + AS_PICTURE : written));
}
