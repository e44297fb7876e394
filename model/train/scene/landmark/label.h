// Label: what is printed on packages, bottles, books, posters and signs: brands, pictures, stripes, marks, barcodes.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   Random layout(1);  // where things are: the same for products that look alike
//   Random own(2);     // words, colours, pictures
//   const Canvas front = MakeLabel(256, 384, MakeBrand(&own), &layout, &own);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_LABEL_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_LABEL_H_

#include <string>

#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/landmark/text.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {

// What the faces of one product have in common.
struct Brand {
  std::string name;
  std::string kind;
  Typeface face;
  Typeface small_face;
  Colour ground = {};
  Colour second = {};
  Colour accent = {};
  uint64_t mark = 0;  // decides the shape of the emblem
};
Brand MakeBrand(Random* own);

// The front of a package.
Canvas MakeLabel(int width, int height, const Brand& brand, Random* layout, Random* own);
// The side or back: small print, a table, a barcode.
Canvas MakeSideLabel(int width, int height, const Brand& brand, Random* layout, Random* own);
// A sign over a shop or beside a road; parts outside its outline are holes.
Canvas MakeSign(int width, int height, Random* layout, Random* own);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_LABEL_H_
