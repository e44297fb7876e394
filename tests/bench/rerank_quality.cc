// `sightline-bench rerank-quality`: does re-ranking by transport help? Mean average precision without it, with full and
// with partial transport, for a plain ViT with real weights and a seeded hybrid, on photographs of groceries and on
// generated scenes whose queries are partly hidden. Score = cosine + S_struct over the best 100 (METHODS.md 3.5).
//
// The real weights and the groceries are in $SIGHTLINE_SHARED_DATA; without it their rows are left out, by name.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/cpu.h"
#include "model/model.h"
#include "model/tokens/projection.h"
#include "model/train/scene/dataset.h"
#include "model/weights/import.h"
#include "tests/bench/bench.h"
#include "tests/bench/labelled_pictures.h"
#include "tests/bench/ranking.h"
#include "tests/bench/report.h"
#include "tests/bench/token_variants.h"
#include "tests/support/temp_folder.h"

namespace sightline::bench {
namespace {

namespace fs = std::filesystem;
using index::rerank::Marginals;
using index::rerank::TransportOptions;

constexpr size_t kShortlist = 100;
// Another seed than those in whose view the initialisation of untrained models was chosen.
constexpr uint64_t kSceneSeed = 5;
// That of model/zoo.
constexpr uint64_t kProjectionSeed = 1;

struct Set {
  std::string name;
  LabelledFiles files;
};

struct Case {
  std::string name;
  TransportOptions options;
};

TransportOptions With(Marginals marginals, double mass) {
  TransportOptions options;
  options.marginals = marginals;
  options.mass = mass;
  // The temperature of the published scripts; only kInverse and kSoftmax look at it.
  options.temperature = 0.1;
  return options;
}

std::vector<Case> MassCases() {
  return {{"full", With(Marginals::kCrossCorrelation, 1)},
          {"partial 0.8", With(Marginals::kCrossCorrelation, 0.8)},
          {"partial 0.6", With(Marginals::kCrossCorrelation, 0.6)},
          {"partial 0.4", With(Marginals::kCrossCorrelation, 0.4)}};
}

std::vector<Case> MarginalCases() {
  const std::pair<const char*, Marginals> modes[] = {{"uniform", Marginals::kUniform},
                                                     {"minus", Marginals::kMinus},
                                                     {"inverse 0.1", Marginals::kInverse},
                                                     {"importance", Marginals::kImportance}};
  std::vector<Case> cases;
  for (const auto& [name, marginals] : modes) {
    cases.push_back({absl::StrCat("full, ", name), With(marginals, 1)});
    cases.push_back({absl::StrCat("partial 0.6, ", name), With(marginals, 0.6)});
  }
  return cases;
}

// One model on one set, embedded once: a row for each case, and before them one without re-ranking if `with_base`.
absl::Status Measure(const std::string& name, const std::vector<Picture>& queries, const std::vector<Picture>& database,
                     const std::vector<Case>& cases, bool with_base = true) {
  const Rankings by_cosine = RankByCosine(queries, database);
  const Relevance relevance = SameObjects(queries, database);
  const RankingQuality base = Judge(relevance, by_cosine, Precision::kPlain);
  Row row = PlainRow("rerank-quality", absl::StrCat(name, " none"), base.mean_average_precision(), "mAP");
  row.recall_at_1 = base.recall_at_1;
  if (with_base) Print(row);
  for (const Case& one : cases) {
    SIGHTLINE_ASSIGN_OR_RETURN(const Rankings rankings,
                               RerankBest(queries, database, by_cosine, kShortlist, one.options));
    const RankingQuality quality = Judge(relevance, rankings, Precision::kPlain);
    row.name = absl::StrCat(name, " ", one.name);
    row.value = quality.mean_average_precision();
    row.recall_at_1 = quality.recall_at_1;
    row.peer = "cosine alone";
    row.peer_value = base.mean_average_precision();
    row.error = StandardErrorOfDifference(quality.average_precision, base.average_precision);
    Print(row);
  }
  return absl::OkStatus();
}

class RerankQuality {
 public:
  RerankQuality(std::string shared, std::string folder, bool quick)
      : shared_(std::move(shared)), folder_(std::move(folder)), quick_(quick) {}

  absl::Status Run() {
    SIGHTLINE_RETURN_IF_ERROR(FindSets());
    if (HasWeights()) {
      SIGHTLINE_RETURN_IF_ERROR(Import());
      SIGHTLINE_RETURN_IF_ERROR(RunModel("vit_tiny"));
      if (!quick_) SIGHTLINE_RETURN_IF_ERROR(RunTokens());
    } else {
      Skip("vit_tiny", "its weights are not in SIGHTLINE_SHARED_DATA");
    }
    return RunModel("dtop_seeded");
  }

 private:
  std::string WeightsPath() const {
    return absl::StrCat(shared_, "/vit_tiny/vit_tiny_patch16_224_augreg_in21k_ft_in1k.safetensors");
  }
  std::string ImportedPath() const { return absl::StrCat(folder_, "/vit_tiny"); }
  bool HasWeights() const { return !shared_.empty() && fs::exists(WeightsPath()); }

  static void Skip(const std::string& name, const std::string& why) {
    std::fprintf(stderr, "sightline-bench: rows of %s are left out: %s.\n", name.c_str(), why.c_str());
  }

  absl::Status FindSets() {
    if (!shared_.empty() && fs::exists(absl::StrCat(shared_, "/grocery/labels.csv"))) {
      SIGHTLINE_ASSIGN_OR_RETURN(LabelledFiles files, Groceries(shared_, quick_ ? 6 : 81));
      sets_.push_back({"grocery", std::move(files)});
    } else {
      Skip("grocery", "it is not in SIGHTLINE_SHARED_DATA");
    }
    for (const int percent : {0, 30, 60}) {
      if (quick_ && percent == 30) continue;
      const std::string name = absl::StrCat("scenes ", percent, " %");
      scene::SceneSettings settings{.directory = absl::StrCat(folder_, "/scenes_", percent),
                                    .instances = quick_ ? 12 : 60,
                                    .views = quick_ ? 4 : 8,
                                    .seed = kSceneSeed,
                                    .occluders = percent / 100.0};
      SIGHTLINE_RETURN_IF_ERROR(scene::GenerateScenes(settings).status());
      double hidden = 0;
      SIGHTLINE_ASSIGN_OR_RETURN(LabelledFiles files, Scenes(settings.directory, &hidden));
      if (percent > 0) {
        Print(PlainRow("rerank-quality", absl::StrCat(name, ", of the object hidden in queries"), hidden, "1"));
      }
      sets_.push_back({name, std::move(files)});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Models> Load(const std::string& name, bool whole_tokens) const {
    const bool real = name == "vit_tiny";
    const std::string folder = real ? ImportedPath() : absl::StrCat(SIGHTLINE_TEST_MODELS, "/", name);
    return LoadForEachProcessor(folder, {.allow_untrained = !real, .whole_tokens = whole_tokens});
  }

  absl::Status Import() const {
    SIGHTLINE_ASSIGN_OR_RETURN(
        const model::ImportReport report,
        model::ImportCheckpoint({.checkpoint = WeightsPath(),
                                 .model_json = absl::StrCat(SIGHTLINE_ZOO, "/vit_tiny_patch16_224/model.json"),
                                 .out = ImportedPath()}));
    if (report.fits) return absl::OkStatus();
    return absl::InternalError(absl::StrCat(WeightsPath(), " does not fit the zoo's model. Copy the file again."));
  }

  absl::Status RunModel(const std::string& name) const {
    SIGHTLINE_ASSIGN_OR_RETURN(const Models models, Load(name, false));
    std::vector<Case> cases = MassCases();
    if (!quick_) {
      for (Case& one : MarginalCases()) cases.push_back(std::move(one));
    }
    std::vector<Picture> database;
    for (size_t i = 0; i < sets_.size(); ++i) {
      if (!SameDatabase(i)) {
        SIGHTLINE_ASSIGN_OR_RETURN(database, EmbedFiles(models, sets_[i].files.database));
      }
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> queries, EmbedFiles(models, sets_[i].files.queries));
      SIGHTLINE_RETURN_IF_ERROR(Measure(absl::StrCat(sets_[i].name, " ", name), queries, database, cases));
    }
    return absl::OkStatus();
  }

  // What precision, size and projection of the tokens change, for the plain ViT on the groceries and on the scenes that
  // are hidden most. The PCA is fitted to the scenes to index: no photograph of groceries takes part in it.
  absl::Status RunTokens() const {
    SIGHTLINE_ASSIGN_OR_RETURN(const Models models, Load("vit_tiny", true));
    const Set& scenes = sets_.back();
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> fitted, EmbedFiles(models, scenes.files.database));
    const int whole = fitted.front().tokens.dim;
    struct Projection {
      std::string name;
      int dim = 0;
      std::vector<float> matrix;
    };
    std::vector<Projection> projections = {
        {"128 float32", 128, model::OrthonormalProjection(whole, 128, kProjectionSeed)},
        {"64 float32", 64, model::OrthonormalProjection(whole, 64, kProjectionSeed)},
        {"32 float32", 32, model::OrthonormalProjection(whole, 32, kProjectionSeed)}};
    for (const int dim : {128, 64, 32}) {
      SIGHTLINE_ASSIGN_OR_RETURN(std::vector<float> matrix, FitProjection(fitted, dim));
      projections.push_back({absl::StrCat(dim, " float32 PCA"), dim, std::move(matrix)});
    }
    const std::vector<Case> cases = {{"full", With(Marginals::kCrossCorrelation, 1)},
                                     {"partial 0.6", With(Marginals::kCrossCorrelation, 0.6)}};
    for (const Set* set : {&sets_.front(), &scenes}) {
      std::vector<Picture> embedded;
      if (set != &scenes) {
        SIGHTLINE_ASSIGN_OR_RETURN(embedded, EmbedFiles(models, set->files.database));
      }
      const std::vector<Picture>& database = set == &scenes ? fitted : embedded;
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> queries, EmbedFiles(models, set->files.queries));
      const std::string name = absl::StrCat(set->name, " vit_tiny tokens ");
      SIGHTLINE_RETURN_IF_ERROR(Measure(absl::StrCat(name, whole, " float32"), queries, database, cases, false));
      for (const Projection& projection : projections) {
        SIGHTLINE_RETURN_IF_ERROR(Measure(absl::StrCat(name, projection.name),
                                          WithTokens(queries, projection.matrix, projection.dim),
                                          WithTokens(database, projection.matrix, projection.dim), cases, false));
      }
    }
    return absl::OkStatus();
  }

  // Sets of scenes have the same pictures to index, whatever is hidden in their queries.
  bool SameDatabase(size_t set) const {
    return set > 0 && sets_[set].name.starts_with("scenes") && sets_[set - 1].name.starts_with("scenes");
  }

  const std::string shared_;  // empty without SIGHTLINE_SHARED_DATA
  const std::string folder_;
  const bool quick_;
  std::vector<Set> sets_;
};

}  // namespace

int RunRerankQuality(bool quick) {
  model::UseWholeCpu();
  base::SetLogLevel(base::Severity::kError);
  PrintMachine("rerank-quality");
  const char* const shared = std::getenv("SIGHTLINE_SHARED_DATA");
  const sightline::testing::TempFolder folder;
  const absl::Status status = RerankQuality(shared == nullptr ? "" : shared, folder.path(), quick).Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "sightline-bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace sightline::bench
