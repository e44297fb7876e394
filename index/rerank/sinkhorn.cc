#include "index/rerank/sinkhorn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::index::rerank {
namespace {

// What doubles hold without doubt: exponents of K and of the scalings, which may each need as much as K, together.
constexpr double kMostExponent = 300;
constexpr double kReferenceStep = 0.1;
constexpr double kMostCosine = 1.001;

// What the rounds work on: with the dummy row and column where transport is partial, without them where it is not.
struct Problem {
  size_t rows = 0, columns = 0;
  std::vector<double> exponents;  // log K, rows * columns; -infinity in the corner of the dummies
  std::vector<double> u, v;
  std::vector<double> start;  // of c
  double scale = 1;           // the plan is that of u and v times this
};

class Rounds {
 public:
  virtual ~Rounds() = default;
  virtual void Next() = 0;
  // sum of |r - r of the round before|, for the reference's rule.
  virtual double Step() const = 0;
  // Total variation between u and the rows of the plan. Columns are met exactly.
  virtual double RowError() = 0;
  virtual double Transported(size_t row, size_t column) const = 0;
};

class ScalingRounds : public Rounds {
 public:
  explicit ScalingRounds(const Problem& problem)
      : problem_(problem), k_(problem.exponents.size()), r_(problem.rows, 1.0), c_(problem.start) {
    std::transform(problem.exponents.begin(), problem.exponents.end(), k_.begin(),
                   [](double exponent) { return std::exp(exponent); });
  }

  void Next() override {
    if (row_sums_.empty()) SumRows();
    previous_ = r_;
    for (size_t i = 0; i < r_.size(); ++i) r_[i] = Scaling(problem_.u[i], row_sums_[i]);
    std::vector<double> column_sums(c_.size());
    for (size_t i = 0; i < r_.size(); ++i) {
      const double* row = &k_[i * c_.size()];
      for (size_t j = 0; j < c_.size(); ++j) column_sums[j] += row[j] * r_[i];
    }
    for (size_t j = 0; j < c_.size(); ++j) c_[j] = Scaling(problem_.v[j], column_sums[j]);
    row_sums_.clear();
  }

  double Step() const override {
    double sum = 0;
    for (size_t i = 0; i < r_.size(); ++i) sum += std::abs(r_[i] - previous_[i]);
    return sum;
  }

  double RowError() override {
    SumRows();
    double sum = 0;
    for (size_t i = 0; i < r_.size(); ++i) sum += std::abs(r_[i] * row_sums_[i] - problem_.u[i]);
    return sum / 2;
  }

  double Transported(size_t row, size_t column) const override {
    return r_[row] * k_[row * c_.size() + column] * c_[column];
  }

 private:
  // A patch without weight takes no part, whatever its similarities.
  static double Scaling(double weight, double sum) { return weight == 0 ? 0 : weight / sum; }

  void SumRows() {
    row_sums_.assign(r_.size(), 0.0);
    for (size_t i = 0; i < r_.size(); ++i) {
      const double* row = &k_[i * c_.size()];
      for (size_t j = 0; j < c_.size(); ++j) row_sums_[i] += row[j] * c_[j];
    }
  }

  const Problem& problem_;
  std::vector<double> k_;
  std::vector<double> r_, previous_, c_;
  std::vector<double> row_sums_;  // K c of the c as it is, or empty
};

// The same on f = log r and g = log c.
class LogarithmRounds : public Rounds {
 public:
  explicit LogarithmRounds(const Problem& problem) : problem_(problem), f_(problem.rows) {
    for (const double c : problem.start) g_.push_back(std::log(c));
  }

  void Next() override {
    previous_ = f_;
    for (size_t i = 0; i < f_.size(); ++i) f_[i] = std::log(problem_.u[i]) - LogRowSum(i);
    std::vector<double> terms(f_.size());
    for (size_t j = 0; j < g_.size(); ++j) {
      for (size_t i = 0; i < f_.size(); ++i) terms[i] = problem_.exponents[i * g_.size() + j] + f_[i];
      g_[j] = std::log(problem_.v[j]) - LogSum(terms);
    }
  }

  double Step() const override {
    double sum = 0;
    for (size_t i = 0; i < f_.size(); ++i) {
      if (f_[i] != previous_[i]) sum += std::abs(std::exp(f_[i]) - std::exp(previous_[i]));
    }
    return sum;
  }

  double RowError() override {
    double sum = 0;
    for (size_t i = 0; i < f_.size(); ++i) {
      if (problem_.u[i] > 0) sum += std::abs(std::exp(f_[i] + LogRowSum(i)) - problem_.u[i]);
    }
    return sum / 2;
  }

  double Transported(size_t row, size_t column) const override {
    return std::exp(f_[row] + problem_.exponents[row * g_.size() + column] + g_[column]);
  }

 private:
  double LogRowSum(size_t i) const {
    std::vector<double> terms(g_.size());
    for (size_t j = 0; j < g_.size(); ++j) terms[j] = problem_.exponents[i * g_.size() + j] + g_[j];
    return LogSum(terms);
  }

  static double LogSum(const std::vector<double>& terms) {
    const double greatest = *std::max_element(terms.begin(), terms.end());
    if (std::isinf(greatest)) return greatest;
    double sum = 0;
    for (const double term : terms) sum += std::exp(term - greatest);
    return greatest + std::log(sum);
  }

  const Problem& problem_;
  std::vector<double> f_, previous_, g_;
};

absl::Status CheckWeights(absl::Span<const double> weights, size_t expected, absl::string_view side) {
  if (weights.size() != expected) {
    return base::InvalidArgument("TRANSPORT_SHAPE",
                                 absl::StrCat("there are ", weights.size(), " weights of ", side, " for ", expected,
                                              " of them. Give each one weight."),
                                 {{"actual", absl::StrCat(weights.size())}, {"expected", absl::StrCat(expected)}});
  }
  double sum = 0;
  for (const double weight : weights) {
    if (!(weight >= 0)) {
      return base::InvalidArgument("TRANSPORT_NOT_FINITE", absl::StrCat("a weight of ", side, " is ", weight,
                                                                        "; weights must be finite and at least 0. "
                                                                        "Check what they were made from."));
    }
    sum += weight;
  }
  if (!std::isfinite(sum)) {
    return base::InvalidArgument("TRANSPORT_NOT_FINITE", absl::StrCat("the weights of ", side, " sum to ", sum,
                                                                      "; the sum must be finite. Scale them."));
  }
  return absl::OkStatus();
}

absl::Status Check(const Similarities& similarities, absl::Span<const double> u, absl::Span<const double> v) {
  const size_t rows = similarities.rows, columns = similarities.columns;
  if (rows == 0 || columns == 0 || similarities.values.size() / rows != columns ||
      similarities.values.size() % rows != 0) {
    return base::InvalidArgument("TRANSPORT_SHAPE",
                                 absl::StrCat("there are ", similarities.values.size(), " similarities of ", rows, "x",
                                              columns, " patches. Give one for each pair, of at least one pair."),
                                 {{"actual", absl::StrCat(similarities.values.size())}});
  }
  for (const double similarity : similarities.values) {
    if (!(std::abs(similarity) <= kMostCosine)) {
      return base::InvalidArgument("TRANSPORT_NOT_FINITE",
                                   absl::StrCat("a similarity is ", similarity,
                                                "; cosines are from -1 to 1. Check the patches they were made from."),
                                   {{"actual", absl::StrCat(similarity)}});
    }
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckWeights(u, rows, "rows"));
  return CheckWeights(v, columns, "columns");
}

double Sum(absl::Span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

void Scale(std::vector<double>& values, double factor) {
  for (double& value : values) value *= factor;
}

Problem MakeProblem(const Similarities& similarities, absl::Span<const double> u, absl::Span<const double> v,
                    const TransportOptions& options) {
  const bool partial = options.mass < kFullMass;
  const size_t dummies = partial ? 1 : 0;
  Problem problem;
  problem.rows = similarities.rows + dummies;
  problem.columns = similarities.columns + dummies;
  problem.u.assign(u.begin(), u.end());
  problem.v.assign(v.begin(), v.end());
  const double rest = 1 - options.mass;
  problem.exponents.assign(problem.rows * problem.columns, std::log(rest));
  for (size_t i = 0; i < similarities.rows; ++i) {
    for (size_t j = 0; j < similarities.columns; ++j) {
      problem.exponents[i * problem.columns + j] =
          (similarities.values[i * similarities.columns + j] - 1) / options.epsilon;
    }
  }
  if (partial) {
    problem.exponents.back() = -std::numeric_limits<double>::infinity();
    problem.u.push_back(rest);
    problem.v.push_back(rest);
  }
  problem.start.assign(problem.columns, 1.0);
  if (options.stop != StopRule::kReference) {
    // The reference code lets a patch without weight have its say in the first round.
    for (size_t j = 0; j < problem.columns; ++j) {
      if (problem.v[j] == 0) problem.start[j] = 0;
    }
    // Where the sums differ, r would grow and c shrink by their ratio in every round, or the other way, without end and
    // without a change of the plan. The reference's rule looks at r itself and is left with that.
    problem.scale = Sum(problem.v);
    Scale(problem.v, 1 / problem.scale);
    Scale(problem.u, 1 / Sum(problem.u));
  }
  return problem;
}

// Whether scalings might leave the range of a double, or entries of K.
bool NeedsLogarithms(const Problem& problem, const TransportOptions& options) {
  double least = 0;
  for (const double exponent : problem.exponents) {
    if (!std::isinf(exponent)) least = std::min(least, exponent);
  }
  const double log_u = std::log(Sum(problem.u)), log_v = std::log(Sum(problem.v));
  const double drift = options.stop == StopRule::kReference ? std::abs(log_u - log_v) * options.max_rounds : 0;
  return -least + std::abs(log_u) + std::abs(log_v) + drift > kMostExponent;
}

// The rounds of one pair and what they have come to.
struct Run {
  Problem problem;
  std::unique_ptr<Rounds> rounds;  // null where there is nothing to transport
  Plan plan;
};

std::unique_ptr<Rounds> MakeRounds(const Problem& problem, bool logarithms) {
  if (logarithms) return std::make_unique<LogarithmRounds>(problem);
  return std::make_unique<ScalingRounds>(problem);
}

void RunAlone(Run& run, const TransportOptions& options) {
  while (run.plan.rounds < options.max_rounds && !run.plan.converged) {
    run.rounds->Next();
    ++run.plan.rounds;
    run.plan.converged = options.stop == StopRule::kMarginalError && run.rounds->RowError() <= options.tolerance;
  }
}

void RunTogether(absl::Span<const std::unique_ptr<Run>> runs, const TransportOptions& options) {
  bool converged = false;
  for (int round = 1; round <= options.max_rounds && !converged; ++round) {
    double step = 0, rows = 0;
    for (const auto& run : runs) {
      if (run->rounds == nullptr) continue;
      run->rounds->Next();
      run->plan.rounds = round;
      step += run->rounds->Step();
      rows += static_cast<double>(run->problem.rows);
    }
    converged = rows == 0 || step / rows < kReferenceStep;
  }
  for (const auto& run : runs) run->plan.converged = converged;
}

void Finish(Run& run, const Similarities& similarities) {
  Plan& plan = run.plan;
  plan.transport.resize(similarities.values.size());
  if (run.rounds == nullptr) return;
  for (size_t i = 0; i < similarities.rows; ++i) {
    for (size_t j = 0; j < similarities.columns; ++j) {
      const double transported = run.rounds->Transported(i, j) * run.problem.scale;
      const size_t at = i * similarities.columns + j;
      plan.transport[at] = transported;
      plan.mass += transported;
      plan.structural += transported * similarities.values[at];
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<Plan>> SinkhornTogether(absl::Span<const Similarities> similarities,
                                                   absl::Span<const std::vector<double>> u,
                                                   absl::Span<const std::vector<double>> v,
                                                   const TransportOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateTransport(options));
  if (u.size() != similarities.size() || v.size() != similarities.size()) {
    return base::InvalidArgument(
        "TRANSPORT_SHAPE", absl::StrCat("there are ", similarities.size(), " pairs, ", u.size(),
                                        " weights of rows and ", v.size(), " of columns. Give both to every pair."));
  }
  std::vector<std::unique_ptr<Run>> runs;
  for (size_t i = 0; i < similarities.size(); ++i) {
    SIGHTLINE_RETURN_IF_ERROR(Check(similarities[i], u[i], v[i]));
    runs.push_back(std::make_unique<Run>());
    Run& run = *runs.back();
    if (Sum(u[i]) == 0 || Sum(v[i]) == 0) {
      run.plan.converged = true;
      continue;
    }
    run.problem = MakeProblem(similarities[i], u[i], v[i], options);
    run.plan.logarithms = NeedsLogarithms(run.problem, options);
    run.rounds = MakeRounds(run.problem, run.plan.logarithms);
  }
  if (options.stop == StopRule::kReference) {
    RunTogether(runs, options);
  } else {
    for (const auto& run : runs) {
      if (run->rounds != nullptr) RunAlone(*run, options);
    }
  }
  std::vector<Plan> plans;
  for (size_t i = 0; i < runs.size(); ++i) {
    Finish(*runs[i], similarities[i]);
    plans.push_back(std::move(runs[i]->plan));
  }
  return plans;
}

absl::StatusOr<Plan> Sinkhorn(const Similarities& similarities, absl::Span<const double> u, absl::Span<const double> v,
                              const TransportOptions& options) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      auto plans, SinkhornTogether({&similarities, 1}, {{u.begin(), u.end()}}, {{v.begin(), v.end()}}, options));
  return std::move(plans.front());
}

}  // namespace sightline::index::rerank
