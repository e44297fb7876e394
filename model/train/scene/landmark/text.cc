#include "model/train/scene/landmark/text.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sightline::scene::landmark {
namespace {

// Letterforms on a grid of 5 x 7 (capitals from row 0 to the baseline in row 6, descenders to row 8): strokes separated
// by spaces, each a run of "column row" digits; ~ marks one that is a curve.
constexpr std::array<absl::string_view, 26> kCapitals = {
    "062046 1434",                   // A
    "0600 ~0030423303 ~0333453606",  // B
    "~412001052645",                 // C
    "0600 ~003042443606",            // D
    "40000646 0333",                 // E
    "400006 0333",                   // F
    "~412001052645 454323",          // G
    "0006 4046 0343",                // H
    "2026",                          // I
    "~4044361604",                   // J
    "0006 400346",                   // K
    "000646",                        // L
    "0600244046",                    // M
    "06004640",                      // N
    "~20010526454120",               // O
    "0600 ~0030423303",              // P
    "~20010526454120 3446",          // Q
    "0600 ~0030423303 2346",         // R
    "~4120010244452605",             // S
    "0040 2026",                     // T
    "~000416364440",                 // U
    "002640",                        // V
    "0016223640",                    // W
    "0046 4006",                     // X
    "002340 2326",                   // Y
    "00400646",                      // Z
};
constexpr std::array<absl::string_view, 26> kSmall = {
    "4246 ~4322042645",          // a
    "0006 ~0322442605",          // b
    "~4322042645",               // c
    "4046 ~4322042645",          // d
    "0444 ~4422042645",          // e
    "~40202226 0343",            // f
    "~42472807 ~4322042645",     // g
    "0006 ~04224346",            // h
    "2226 2121",                 // i
    "~32372807 3131",            // j
    "0006 420446",               // k
    "2026",                      // l
    "0206 ~03122326 ~23324346",  // m
    "0206 ~04224346",            // n
    "~2204264422",               // o
    "0208 ~0322442605",          // p
    "4248 ~4322042645",          // q
    "0206 ~042242",              // r
    "~432203452605",             // s
    "~20253646 0242",            // t
    "~02052645 4246",            // u
    "022642",                    // v
    "0216243642",                // w
    "0246 4206",                 // x
    "0226 4208",                 // y
    "02420646",                  // z
};
constexpr std::array<absl::string_view, 10> kDigits = {
    "~20020426444220",          // 0
    "1120 2026",                // 1
    "~0120414206 0646",         // 2
    "~0120412313 ~2343452605",  // 3
    "36300444",                 // 4
    "400003 ~0332443606",       // 5
    "~4120020526453304",        // 6
    "004016",                   // 7
    "~2001234120 ~2304264423",  // 8
    "~0526444120011342",        // 9
};

// What shops, packages and signs of the world say.
constexpr std::array<absl::string_view, 64> kWords = {
    "fresh",   "organic", "milk",   "cafe",  "hotel",  "bakery",  "original", "natural", "juice",  "tea",  "coffee",
    "pasta",   "market",  "bar",    "pizza", "books",  "flowers", "royal",    "golden",  "alpine", "bio",  "yoghurt",
    "vanilla", "lemon",   "orange", "apple", "cherry", "classic", "premium",  "extra",   "light",  "new",  "grand",
    "museum",  "theatre", "bank",   "post",  "salon",  "sushi",   "grill",    "kitchen", "house",  "farm", "valley",
    "river",   "sun",     "moon",   "star",  "north",  "soap",    "cocoa",    "honey",   "rice",   "oat",  "mango",
    "berry",   "crunchy", "sweet",  "salt",  "pepper", "olive",   "garden",   "street",  "station"};

absl::string_view Letterform(char letter) {
  if (letter >= 'A' && letter <= 'Z') return kCapitals[static_cast<size_t>(letter - 'A')];
  if (letter >= 'a' && letter <= 'z') return kSmall[static_cast<size_t>(letter - 'a')];
  if (letter >= '0' && letter <= '9') return kDigits[static_cast<size_t>(letter - '0')];
  if (letter == '.') return "2626";
  if (letter == '-') return "1333";
  if (letter == '%') return "4006 0101 4545";
  return "";
}

struct Position {
  double x = 0;
  double y = 0;
};

// Cuts the corners of a line twice (Chaikin 1974); its ends stay.
std::vector<Position> Rounded(std::vector<Position> line) {
  for (int round = 0; round < 2; ++round) {
    std::vector<Position> out = {line.front()};
    for (size_t i = 0; i + 1 < line.size(); ++i) {
      const Position& a = line[i];
      const Position& b = line[i + 1];
      if (i > 0) out.push_back({0.75 * a.x + 0.25 * b.x, 0.75 * a.y + 0.25 * b.y});
      if (i + 2 < line.size()) out.push_back({0.25 * a.x + 0.75 * b.x, 0.25 * a.y + 0.75 * b.y});
    }
    out.push_back(line.back());
    line = std::move(out);
  }
  return line;
}

// The letter's strokes, in pixels around (left, top) for a capital of `size` pixels.
struct LetterShape {
  std::vector<StrokeShape> strokes;
  float distance(float x, float y) const {
    float nearest = 1e9f;
    for (const StrokeShape& stroke : strokes) nearest = std::min(nearest, stroke.distance(x, y));
    return nearest;
  }
  Bounds bounds() const {
    Bounds all{1e9, 1e9, -1e9, -1e9};
    for (const StrokeShape& stroke : strokes) {
      const Bounds own = stroke.bounds();
      all = {std::min(all.x0, own.x0), std::min(all.y0, own.y0), std::max(all.x1, own.x1), std::max(all.y1, own.y1)};
    }
    return all;
  }
};

void AddStrokes(const std::vector<Position>& line, const Typeface& face, double size, LetterShape* shape) {
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const Position& a = line[i];
    const Position& b = line[i + 1];
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    const double level = length > 0 ? std::abs(b.x - a.x) / length : 0;
    const double half = std::max(0.35, size * face.weight / 2 * (1 - face.contrast * level));
    shape->strokes.push_back({a.x, a.y, b.x, b.y, half});
  }
  if (!face.serifs || line.size() < 2) return;
  for (const Position& end : {line.front(), line.back()}) {
    const double reach = size * (0.06 + face.weight / 2);
    shape->strokes.push_back({end.x - reach, end.y, end.x + reach, end.y, std::max(0.3, size * 0.03)});
  }
}

LetterShape MakeLetter(char letter, double left, double top, double size, double stretch, const Typeface& face) {
  LetterShape shape;
  for (absl::string_view stroke : absl::StrSplit(Letterform(letter), ' ', absl::SkipEmpty())) {
    const bool curve = stroke[0] == '~';
    if (curve) stroke.remove_prefix(1);
    std::vector<Position> line;
    for (size_t i = 0; i + 1 < stroke.size(); i += 2) {
      const double row = (stroke[i + 1] - '0') / 6.0;
      const double column = (stroke[i] - '0') / 4.0;
      line.push_back({left + size * (column * face.width + face.slant * (1 - row)) * stretch, top + size * row});
    }
    AddStrokes(curve && face.round ? Rounded(std::move(line)) : line, face, size, &shape);
  }
  return shape;
}

}  // namespace

Typeface MakeTypeface(Random* random) {
  Typeface face;
  face.weight = random->Chance(0.3) ? random->Between(0.05, 0.1) : random->Between(0.11, 0.24);
  face.width = random->Between(0.42, 0.85);
  face.slant = random->Chance(0.25) ? random->Between(0.1, 0.3) : 0;
  face.contrast = random->Chance(0.4) ? random->Between(0.3, 0.75) : 0;
  face.tracking = face.weight + random->Between(0.05, 0.18);
  face.round = random->Chance(0.8);
  face.serifs = random->Chance(0.35);
  face.capitals = random->Chance(0.55);
  return face;
}

std::string MakeWord(Random* random) {
  std::string word;
  if (random->Chance(0.4)) {
    word = std::string(kWords[static_cast<size_t>(random->Below(static_cast<int>(kWords.size())))]);
  } else {
    constexpr absl::string_view kOnsets = "bcdfghjklmnprstvwz";
    constexpr absl::string_view kVowels = "aeiouaeioy";
    constexpr absl::string_view kCodas = "nrlstxkm";
    const int syllables = 1 + random->Below(3);
    for (int i = 0; i < syllables; ++i) {
      word += kOnsets[static_cast<size_t>(random->Below(static_cast<int>(kOnsets.size())))];
      word += kVowels[static_cast<size_t>(random->Below(static_cast<int>(kVowels.size())))];
      if (random->Chance(0.4)) word += kCodas[static_cast<size_t>(random->Below(static_cast<int>(kCodas.size())))];
    }
  }
  word[0] = absl::ascii_toupper(static_cast<unsigned char>(word[0]));
  return word;
}

std::string MakePhrase(int words, Random* random) {
  std::string out = MakeWord(random);
  for (int i = 1; i < words; ++i) absl::StrAppend(&out, " ", MakeWord(random));
  return out;
}

void DrawText(absl::string_view text, const Bounds& box, const Typeface& face, const Ink& ink, Canvas* canvas) {
  if (text.empty() || box.width() < 2 || box.height() < 2) return;
  const auto advance = [&face](char letter) {
    const bool narrow = letter == 'I' || letter == 'i' || letter == 'l' || letter == '.';
    return (narrow ? 0.35 : 1.0) * face.width + face.tracking;
  };
  double length = face.slant + face.weight - face.tracking;
  for (const char letter : text) length += advance(letter);
  // Room for descenders below and half a stroke above.
  const double tallest = box.height() / (face.capitals ? 1 + face.weight : 1.35 + face.weight);
  const double size = std::min(tallest, box.width() / length);
  const double stretch = std::min(1.3, box.width() / (length * size));
  double left = box.middle_x() - length * size * stretch / 2 + face.weight * size / 2;
  const double top = box.middle_y() - size / 2;
  for (const char letter : text) {
    const char form = face.capitals ? absl::ascii_toupper(static_cast<unsigned char>(letter)) : letter;
    const double shift = advance(letter) < face.width ? -0.33 * face.width * size * stretch : 0;
    const LetterShape shape = MakeLetter(form, left + shift, top, size, stretch, face);
    if (!shape.strokes.empty()) Fill(shape, ink, canvas);
    left += advance(letter) * size * stretch;
  }
}

void DrawSmallPrint(const Bounds& box, int lines, const Colour& colour, Random* random, Canvas* canvas) {
  const double step = box.height() / lines;
  for (int line = 0; line < lines; ++line) {
    double x = box.x0;
    const double end = line + 1 == lines ? box.x0 + box.width() * random->Between(0.3, 0.9) : box.x1;
    const double y = box.y0 + (line + 0.5) * step;
    while (x < end) {
      const double word = std::min(end - x, step * random->Between(0.7, 3.5));
      for (double letter = x; letter < x + word; letter += 0.42 * step) {
        const double tall = random->Chance(0.25) ? 0.38 : 0.26;
        Fill(StrokeShape{letter, y - tall * step, letter + random->Between(-0.1, 0.2) * step, y + 0.25 * step,
                         0.07 * step + 0.2},
             {.colour = colour, .opacity = 0.75}, canvas);
      }
      x += word + 0.5 * step;
    }
  }
}

}  // namespace sightline::scene::landmark
