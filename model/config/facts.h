// What the parts of a model need to know about each other, from the numbers of model.json alone.
//
// Threading: plain values. Failure: none.
#ifndef SIGHTLINE_MODEL_CONFIG_FACTS_H_
#define SIGHTLINE_MODEL_CONFIG_FACTS_H_

#include <vector>

namespace sightline::model {

struct BackboneFacts {
  int dim = 0;               // channels of the last map, or the width of a token
  int layers = 0;            // token sequences it can give, the last of its blocks; 0: maps only
  bool class_token = false;  // whether the sequences begin with one
  bool rollout = false;      // offers attention rollout
  std::vector<int> maps;     // channels of the maps it can give, oldest first; the last one has `dim`
  int stride = 0;            // pixels of an image's side per cell of the last map
  bool whole_cells = false;  // sides must be multiples of `stride`
  int blocks = 0;            // transformer blocks in all, of which `layers` give a sequence
};

// What a head asks of its backbone, and what it gives beside the descriptor.
struct HeadFacts {
  int layers = 0;            // the last so many token sequences
  int maps = 1;              // the last so many maps
  bool class_token = false;  // does not work without one
  int token_dim = 0;         // of the map into token space that it shares with the patches; 0: it has none
  bool positive = false;     // its vectors are generalised means, which merge with their own exponent
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CONFIG_FACTS_H_
