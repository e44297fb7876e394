// What a search re-ranks by with a model when it does not say: some models it makes better, others worse (METHODS.md
// 3.9). It decides neither a descriptor nor a token, and is part of no space.
//
// Threading: plain values. Failure: none.
#ifndef SIGHTLINE_MODEL_RERANK_DEFAULTS_H_
#define SIGHTLINE_MODEL_RERANK_DEFAULTS_H_

namespace sightline::model {

struct RerankDefaults {
  enum class Method { kOptimalTransport, kOff };
  enum class Marginals { kUniform, kCrossCorrelation, kInverse, kMinus, kSoftmax, kImportance };

  Method method = Method::kOptimalTransport;
  double mass = 1;        // transported, above 0 to 1
  double epsilon = 0.05;  // entropic regularisation, 0.001 to 10
  Marginals marginals = Marginals::kCrossCorrelation;
  double temperature = 1;  // of kInverse and kSoftmax, 0.001 to 1,000
  double weight = 1;       // of the structural score beside the cosine, 0 to 100
  friend bool operator==(const RerankDefaults&, const RerankDefaults&) = default;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_RERANK_DEFAULTS_H_
