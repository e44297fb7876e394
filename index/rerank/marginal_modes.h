// Where the weights of the patches come from: an enum by itself, because kernels know it too.
//
// Threading: a value. Failure: none.
#ifndef SIGHTLINE_INDEX_RERANK_MARGINAL_MODES_H_
#define SIGHTLINE_INDEX_RERANK_MARGINAL_MODES_H_

namespace sightline::index::rerank {

// METHODS.md 3.2. a is the cosine of a patch to the *other* image's centre.
enum class Marginals {
  kUniform,           // 1 / R
  kCrossCorrelation,  // relu(a)
  kInverse,           // exp(-relu(a) / temperature)
  kMinus,             // 1 - relu(a)
  kSoftmax,           // softmax(a / temperature)
  kImportance,        // what is stored with the tokens: attention, rollout or norm
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_MARGINAL_MODES_H_
