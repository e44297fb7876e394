// Text: words in letters of strokes, whose weight, width, slant, contrast, curves and serifs are drawn at random, so
// that every instance has a typeface of its own.
//
// Threading: pure functions. Ownership: values. Failure: none; characters without a letterform leave a gap.
//
//   const Typeface face = MakeTypeface(&random);
//   DrawText(MakeWord(&random), box, face, {.colour = ink}, &canvas);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TEXT_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

struct Typeface {
  double weight = 0.12;   // of a stroke, by the height of a capital
  double width = 0.7;     // of a capital, by its height
  double slant = 0;       // shift to the right by the height
  double contrast = 0;    // how much thinner horizontal strokes are, 0 to 0.8
  double tracking = 0.2;  // gap between letters, by the height
  bool round = true;      // curves, not corners
  bool serifs = false;
  bool capitals = true;  // only capitals
};

Typeface MakeTypeface(Random* random);

// A word that can be pronounced, or one that shops and packages use: 2 to 12 letters.
std::string MakeWord(Random* random);
// `words` words.
std::string MakePhrase(int words, Random* random);

// One line that fills the box in one direction and is centred in the other; never stretched more than by 1.3.
void DrawText(absl::string_view text, const Bounds& box, const Typeface& face, const Ink& ink, Canvas* canvas);

// Lines of small words as on the backs of packages: strokes too small to be read. Cheap.
void DrawSmallPrint(const Bounds& box, int lines, const Colour& colour, Random* random, Canvas* canvas);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TEXT_H_
