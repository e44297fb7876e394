#include "index/rerank/confidence.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::index::rerank {
namespace {

constexpr int kFolds = 5;
constexpr int kBins = 10;
constexpr int kMaxSteps = 100;
constexpr double kRidge = 1e-3;  // on features of unit variance, against the sum of the losses

double Sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

// log(1 + exp(x)), without overflow.
double Softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

// Weights of up to two features and the constant: logit = w[0] x[0] + w[1] x[1] + w[2].
using Weights = std::array<double, 3>;

struct Sample {
  std::array<double, 3> x = {0, 0, 1};  // cosine, structural score, 1
  bool same = false;
};

double Logit(const Weights& w, const Sample& sample) {
  return w[0] * sample.x[0] + w[1] * sample.x[1] + w[2] * sample.x[2];
}

// Solves the symmetric 3 x 3 system m x = b, which is positive definite.
Weights Solve(std::array<Weights, 3> m, Weights b) {
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = i + 1; j < 3; ++j) {
      const double factor = m[j][i] / m[i][i];
      for (size_t k = i; k < 3; ++k) m[j][k] -= factor * m[i][k];
      b[j] -= factor * b[i];
    }
  }
  Weights x = {};
  for (size_t i = 3; i-- > 0;) {
    x[i] = b[i];
    for (size_t k = i + 1; k < 3; ++k) x[i] -= m[i][k] * x[k];
    x[i] /= m[i][i];
  }
  return x;
}

struct Spread {
  double mean = 0, deviation = 1;
};

Spread SpreadOf(absl::Span<const Sample> samples, size_t feature) {
  double sum = 0, squares = 0;
  for (const Sample& sample : samples) sum += sample.x[feature];
  const double mean = sum / static_cast<double>(samples.size());
  for (const Sample& sample : samples) squares += (sample.x[feature] - mean) * (sample.x[feature] - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(samples.size()));
  return {mean, deviation > 1e-9 ? deviation : 1};
}

double Loss(absl::Span<const Sample> samples, const Weights& w, double target_same, double target_other) {
  double loss = kRidge / 2 * (w[0] * w[0] + w[1] * w[1]);
  for (const Sample& sample : samples) {
    const double logit = Logit(w, sample);
    loss += Softplus(logit) - (sample.same ? target_same : target_other) * logit;
  }
  return loss;
}

// The best weights of the features in use; the others stay 0. Newton's method with halved steps.
Weights Minimise(absl::Span<const Sample> samples, std::array<bool, 2> use) {
  const auto same = static_cast<double>(std::count_if(samples.begin(), samples.end(), [](auto& s) { return s.same; }));
  const double other = static_cast<double>(samples.size()) - same;
  const double target_same = (same + 1) / (same + 2);
  const double target_other = 1 / (other + 2);
  const std::array<Spread, 2> spreads = {SpreadOf(samples, 0), SpreadOf(samples, 1)};
  std::vector<Sample> scaled(samples.begin(), samples.end());
  for (Sample& sample : scaled) {
    for (size_t f = 0; f < 2; ++f) {
      sample.x[f] = use[f] ? (sample.x[f] - spreads[f].mean) / spreads[f].deviation : 0;
    }
  }
  Weights w = {0, 0, std::log((same + 1) / (other + 1))};
  double loss = Loss(scaled, w, target_same, target_other);
  for (int step = 0; step < kMaxSteps; ++step) {
    Weights gradient = {kRidge * w[0], kRidge * w[1], 0};
    std::array<Weights, 3> hessian = {};
    hessian[0][0] = hessian[1][1] = kRidge;
    hessian[2][2] = 1e-12;  // all pairs beyond doubt: the curvature may round to 0
    for (const Sample& sample : scaled) {
      const double p = Sigmoid(Logit(w, sample));
      const double miss = p - (sample.same ? target_same : target_other);
      for (size_t i = 0; i < 3; ++i) {
        gradient[i] += miss * sample.x[i];
        for (size_t j = 0; j < 3; ++j) hessian[i][j] += p * (1 - p) * sample.x[i] * sample.x[j];
      }
    }
    const Weights change = Solve(hessian, gradient);
    double share = 1;
    Weights next = w;
    double next_loss = loss;
    for (; share > 1e-6; share /= 2) {
      for (size_t i = 0; i < 3; ++i) next[i] = w[i] - share * change[i];
      next_loss = Loss(scaled, next, target_same, target_other);
      if (next_loss <= loss) break;
    }
    if (!(next_loss < loss)) break;
    const bool settled = loss - next_loss < 1e-12 * (1 + loss);
    w = next;
    loss = next_loss;
    if (settled) break;
  }
  for (size_t f = 0; f < 2; ++f) {
    w[f] = use[f] ? w[f] / spreads[f].deviation : 0;
    w[2] -= w[f] * spreads[f].mean;
  }
  return w;
}

// The same with no weight below 0: of two features, one that hurts is left out.
Weights MinimiseNotNegative(absl::Span<const Sample> samples, bool structural) {
  std::array<bool, 2> use = {true, structural};
  Weights w = Minimise(samples, use);
  while (w[0] < 0 || w[1] < 0) {
    use[w[0] < w[1] ? 0 : 1] = false;
    w = Minimise(samples, use);
  }
  return w;
}

std::vector<Sample> SamplesOf(absl::Span<const LabelledPair> pairs, bool structural) {
  std::vector<Sample> samples;
  for (const LabelledPair& pair : pairs) {
    if (structural && !pair.structural) continue;
    samples.push_back({{pair.score, structural ? *pair.structural : 0, 1}, pair.same});
  }
  return samples;
}

bool Enough(absl::Span<const Sample> samples) {
  const auto same = std::count_if(samples.begin(), samples.end(), [](auto& sample) { return sample.same; });
  return same >= kLeastConfidencePairs && static_cast<int64_t>(samples.size()) - same >= kLeastConfidencePairs;
}

// What a fit on the others says of each sample.
std::vector<double> LeftOut(absl::Span<const Sample> samples, bool structural) {
  std::vector<double> confidences(samples.size());
  std::array<int, 2> seen = {};
  std::vector<int> fold_of;
  for (const Sample& sample : samples) fold_of.push_back(seen[sample.same ? 1 : 0]++ % kFolds);
  for (int fold = 0; fold < kFolds; ++fold) {
    std::vector<Sample> others;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (fold_of[i] != fold) others.push_back(samples[i]);
    }
    const Weights w = MinimiseNotNegative(others, structural);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (fold_of[i] == fold) confidences[i] = Sigmoid(Logit(w, samples[i]));
    }
  }
  return confidences;
}

void Judge(absl::Span<const Sample> samples, absl::Span<const double> confidences, ConfidenceFit* fit) {
  struct Bin {
    double confidence = 0, same = 0, count = 0;
  };
  std::array<Bin, kBins> bins;
  double loss = 0, right = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double p = confidences[i];
    loss -= std::log(std::max(samples[i].same ? p : 1 - p, 1e-15));
    right += (p >= 0.5) == samples[i].same ? 1 : 0;
    Bin& bin = bins[std::min(static_cast<size_t>(p * kBins), bins.size() - 1)];
    bin.confidence += p;
    bin.same += samples[i].same ? 1 : 0;
    bin.count += 1;
  }
  const auto count = static_cast<double>(samples.size());
  fit->log_loss = loss / count;
  fit->accuracy = right / count;
  for (const Bin& bin : bins) fit->expected_error += std::abs(bin.confidence - bin.same) / count;
}

}  // namespace

double ConfidenceModel::Confidence(double score, std::optional<double> structural) const {
  return structural ? Sigmoid(a * score + b * *structural + c) : Sigmoid(score_only_a * score + score_only_c);
}

double ConfidenceModel::LeastScore(double confidence) const {
  if (Confidence(-2, std::nullopt) >= confidence) return -2;
  if (Confidence(2, std::nullopt) < confidence) return 2;
  return (std::log(confidence / (1 - confidence)) - score_only_c) / score_only_a;
}

absl::StatusOr<ConfidenceFit> FitConfidence(absl::Span<const LabelledPair> pairs) {
  int64_t same = 0;
  for (const LabelledPair& pair : pairs) {
    same += pair.same ? 1 : 0;
    if (!std::isfinite(pair.score) || (pair.structural && !std::isfinite(*pair.structural))) {
      return base::InvalidArgument("SCORE_NOT_FINITE", "a pair has a score that is not finite. Leave it out.");
    }
  }
  const int64_t other = static_cast<int64_t>(pairs.size()) - same;
  if (same < kLeastConfidencePairs || other < kLeastConfidencePairs) {
    return base::InvalidArgument(
        "TOO_FEW_PAIRS",
        absl::StrCat("there are ", same, " pairs of the same object and ", other, " of different ones; a fit needs ",
                     kLeastConfidencePairs, " of each. Label more pairs."),
        {{"actual", absl::StrCat(std::min(same, other))}, {"limit", absl::StrCat(kLeastConfidencePairs)}});
  }
  ConfidenceFit fit;
  const std::vector<Sample> all = SamplesOf(pairs, /*structural=*/false);
  const Weights by_score = MinimiseNotNegative(all, /*structural=*/false);
  fit.model.score_only_a = by_score[0];
  fit.model.score_only_c = by_score[2];
  const std::vector<Sample> compared = SamplesOf(pairs, /*structural=*/true);
  const bool structural = Enough(compared);
  const std::vector<Sample>& samples = structural ? compared : all;
  const Weights by_both = structural ? MinimiseNotNegative(compared, /*structural=*/true) : by_score;
  fit.model.a = by_both[0];
  fit.model.b = by_both[1];
  fit.model.c = by_both[2];
  fit.pairs = static_cast<int64_t>(samples.size());
  Judge(samples, LeftOut(samples, structural), &fit);
  return fit;
}

}  // namespace sightline::index::rerank
