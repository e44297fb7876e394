// How the queries of one head are cut into blocks whose scores stay in a core's cache.
#ifndef SIGHTLINE_MODEL_ENGINE_ATTENTION_BLOCK_H_
#define SIGHTLINE_MODEL_ENGINE_ATTENTION_BLOCK_H_

#include <algorithm>
#include <cstdint>

namespace sightline::model::engine {

constexpr int64_t kMostBlockRows = 256;

struct AttentionBlocks {
  int64_t count = 0;
  int64_t rows = 0;  // of every block but perhaps the last
};

// At most `most_scores` scores in a block where `keys` allow it.
inline AttentionBlocks CutQueries(int64_t queries, int64_t keys, int64_t most_scores) {
  const int64_t wanted = std::clamp<int64_t>(most_scores / keys, 1, kMostBlockRows);
  const int64_t count = (queries + wanted - 1) / wanted;
  // Even blocks: a last one of a few rows would cost nearly as much as a whole one.
  return {.count = count, .rows = (queries + count - 1) / count};
}

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_ATTENTION_BLOCK_H_
