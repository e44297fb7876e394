// `sightline-bench quality`: does it find things? R@1 and mean average precision of trained models on photographs they
// never saw and on landmarks made from a seed that no training uses, beside what needs no training: the same networks
// from a seed, colour histograms, small pixels, ORB and SIFT.
//
// The groceries are in $SIGHTLINE_SHARED_DATA; without it their rows are left out, by name.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/for_each.h"
#include "base/log.h"
#include "base/status.h"
#include "model/cpu.h"
#include "model/train/scene/landmark/landmarks.h"
#include "tests/bench/bench.h"
#include "tests/bench/local_matches.h"
#include "tests/bench/plain_descriptors.h"
#include "tests/bench/quality_options.h"
#include "tests/bench/quality_sets.h"
#include "tests/bench/report.h"
#include "tests/support/temp_folder.h"

namespace sightline::bench {
namespace {

namespace fs = std::filesystem;

// Trainings leave these instances alone.
constexpr uint64_t kLandmarkSeed = 7001;
constexpr uint64_t kDrawSeed = 1;

void SayLeftOut(const std::string& name, const std::string& why) {
  std::fprintf(stderr, "sightline-bench: rows of %s are left out: %s.\n", name.c_str(), why.c_str());
}

// The last part of a path, which may end with a slash.
std::string LastName(const std::string& path) { return fs::path(path + "/").parent_path().filename().string(); }

using Describe = std::vector<float> (*)(const image::Image&);

absl::StatusOr<std::vector<Picture>> DescribeFiles(const std::vector<LabelledFile>& files, Describe describe) {
  std::vector<Picture> pictures(files.size());
  SIGHTLINE_RETURN_IF_ERROR(base::ForEach(files.size(), base::Processors(), [&](size_t i, size_t) -> absl::Status {
    SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, ReadPicture(files[i]));
    pictures[i] = {.object = files[i].object, .descriptor = describe(image), .tokens = {}};
    return absl::OkStatus();
  }));
  return pictures;
}

absl::StatusOr<std::vector<LocalFeatures>> FindInFiles(const std::vector<LabelledFile>& files, LocalKind kind) {
  std::vector<LocalFeatures> features(files.size());
  SIGHTLINE_RETURN_IF_ERROR(base::ForEach(files.size(), base::Processors(), [&](size_t i, size_t) -> absl::Status {
    SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, ReadPicture(files[i]));
    SIGHTLINE_ASSIGN_OR_RETURN(features[i], FindLocal(kind, image));
    return absl::OkStatus();
  }));
  return features;
}

class Quality {
 public:
  Quality(QualityOptions options, std::string shared, std::string folder)
      : options_(std::move(options)), shared_(std::move(shared)), folder_(std::move(folder)) {}

  absl::Status Run() {
    for (const std::string& name : options_.sets) SIGHTLINE_RETURN_IF_ERROR(AddSet(name));
    if (Wants("models")) SIGHTLINE_RETURN_IF_ERROR(RunTrained());
    if (Wants("seeds")) SIGHTLINE_RETURN_IF_ERROR(RunSeeded());
    if (Wants("hsv")) {
      SIGHTLINE_RETURN_IF_ERROR(RunPlain("HSV histogram", ColourHistogram));
      SIGHTLINE_RETURN_IF_ERROR(RunPlain("HSV histogram of 64x64 pixels", BlurredColourHistogram));
    }
    if (Wants("pixels")) SIGHTLINE_RETURN_IF_ERROR(RunPlain("16x16 pixels", TinyPicture));
    if (Wants("orb")) SIGHTLINE_RETURN_IF_ERROR(RunLocal("ORB", LocalKind::kOrb));
    if (Wants("sift")) SIGHTLINE_RETURN_IF_ERROR(RunLocal("SIFT", LocalKind::kSift));
    return absl::OkStatus();
  }

 private:
  bool Wants(const std::string& method) const {
    return std::find(options_.methods.begin(), options_.methods.end(), method) != options_.methods.end();
  }

  absl::Status AddSet(const std::string& name) {
    if (name == "grocery") {
      if (shared_.empty() || !fs::exists(absl::StrCat(shared_, "/grocery/labels.csv"))) {
        SayLeftOut("grocery", "it is not in SIGHTLINE_SHARED_DATA");
        return absl::OkStatus();
      }
      SIGHTLINE_ASSIGN_OR_RETURN(QualitySet set, GrocerySet(shared_, options_.quick ? 6 : 81));
      sets_.push_back(std::move(set));
      return absl::OkStatus();
    }
    std::string folder = name;
    if (name == "landmarks") {
      folder = absl::StrCat(folder_, "/landmarks");
      SIGHTLINE_RETURN_IF_ERROR(scene::landmark::MakeLandmarks({.directory = folder,
                                                                .instances = options_.quick ? 6 : 60,
                                                                .views = 8,
                                                                .side = options_.quick ? 96 : 224,
                                                                .seed = kLandmarkSeed})
                                    .status());
    }
    SIGHTLINE_ASSIGN_OR_RETURN(QualitySet set, LandmarkSet(LastName(folder), folder));
    sets_.push_back(std::move(set));
    return absl::OkStatus();
  }

  static Row RowOf(const QualitySet& set, const QualitySplit& split, const std::string& method,
                   const RankingQuality& quality) {
    const std::string name = split.name.empty() ? set.name : absl::StrCat(set.name, " ", split.name);
    Row row = PlainRow("quality", absl::StrCat(name, " / ", method), quality.mean_average_precision(), "mAP");
    row.recall_at_1 = quality.recall_at_1;
    row.queries = quality.average_precision.size();
    return row;
  }

  static void PrintQuality(const QualitySet& set, const std::string& method, const Rankings& rankings,
                           const std::string& note) {
    for (const QualitySplit& split : set.splits) {
      Row row =
          RowOf(set, split, method, Judge(split.relevance, WithoutIgnored(rankings, split.relevance), set.precision));
      row.note = note;
      Print(row);
    }
  }

  absl::Status RunModel(const std::string& name, const std::string& folder, bool untrained) const {
    SIGHTLINE_ASSIGN_OR_RETURN(const Models models, LoadForEachProcessor(folder, {.allow_untrained = untrained}));
    for (const QualitySet& set : sets_) {
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> queries, EmbedFiles(models, set.files.queries));
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> database, EmbedFiles(models, set.files.database));
      const Rankings whole = RankByCosine(queries, database);
      for (const QualitySplit& split : set.splits) {
        // What is ignored goes before the shortlist is taken, or it would use up places there.
        const Rankings by_cosine = WithoutIgnored(whole, split.relevance);
        const RankingQuality base = Judge(split.relevance, by_cosine, set.precision);
        Print(RowOf(set, split, name, base));
        for (const TransportCase& one : options_.transports) {
          SIGHTLINE_ASSIGN_OR_RETURN(
              const Rankings better,
              RerankBest(queries, database, by_cosine, static_cast<size_t>(options_.shortlist), one.options));
          const RankingQuality quality = Judge(split.relevance, better, set.precision);
          Row row = RowOf(set, split, absl::StrCat(name, ", ", one.name), quality);
          row.peer = "cosine alone";
          row.peer_value = base.mean_average_precision();
          row.error = StandardErrorOfDifference(quality.average_precision, base.average_precision);
          Print(row);
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status RunTrained() const {
    const std::string starter = absl::StrCat(SIGHTLINE_ZOO, "/dtop_tiny");
    if (fs::exists(absl::StrCat(starter, "/weights.safetensors"))) {
      SIGHTLINE_RETURN_IF_ERROR(RunModel("dtop_tiny", starter, /*untrained=*/false));
    } else {
      SayLeftOut("dtop_tiny", "model/zoo/dtop_tiny has no weights");
    }
    for (const std::string& folder : options_.models) {
      SIGHTLINE_RETURN_IF_ERROR(RunModel(LastName(folder), folder, /*untrained=*/false));
    }
    return absl::OkStatus();
  }

  absl::Status RunSeeded() const {
    const std::string bare = absl::StrCat(folder_, "/dtop_tiny");
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text,
                               base::ReadFile(absl::StrCat(SIGHTLINE_ZOO, "/dtop_tiny/model.json"), 1 << 20));
    // The fitted projection of its tokens is among the weights.
    auto config = nlohmann::json::parse(text);
    config["tokens"]["projection"] = {{"type", "orthonormal"}, {"seed", 1}};
    SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(bare));
    SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(absl::StrCat(bare, "/model.json"), config.dump()));
    SIGHTLINE_RETURN_IF_ERROR(RunModel("dtop_tiny from its seed", bare, /*untrained=*/true));
    return RunModel("dtop_seeded from its seed", absl::StrCat(SIGHTLINE_TEST_MODELS, "/dtop_seeded"),
                    /*untrained=*/true);
  }

  absl::Status RunPlain(const std::string& name, Describe describe) const {
    for (const QualitySet& set : sets_) {
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> queries, DescribeFiles(set.files.queries, describe));
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Picture> database, DescribeFiles(set.files.database, describe));
      PrintQuality(set, name, RankByCosine(queries, database), "");
    }
    return absl::OkStatus();
  }

  absl::Status RunLocal(const std::string& name, LocalKind kind) const {
    KeepLocalToOneThread();
    for (const QualitySet& whole : sets_) {
      const size_t all = whole.files.queries.size();
      const size_t count =
          std::clamp<size_t>(static_cast<size_t>(options_.pairs) / whole.files.database.size(), 1, all);
      const QualitySet set = count == all ? whole : DrawQueries(whole, count, kDrawSeed);
      const std::string note =
          count == all ? "" : absl::StrCat(count, " of ", all, " queries, drawn with seed ", kDrawSeed);
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<LocalFeatures> queries, FindInFiles(set.files.queries, kind));
      SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<LocalFeatures> database, FindInFiles(set.files.database, kind));
      std::vector<std::vector<LocalMatches>> matches(count, std::vector<LocalMatches>(database.size()));
      SIGHTLINE_RETURN_IF_ERROR(base::ForEach(count, base::Processors(), [&](size_t q, size_t) -> absl::Status {
        for (size_t i = 0; i < database.size(); ++i) {
          SIGHTLINE_ASSIGN_OR_RETURN(matches[q][i], MatchLocal(queries[q], database[i]));
        }
        return absl::OkStatus();
      }));
      PrintQuality(set, absl::StrCat(name, ", matches"),
                   RankBy(count, database.size(), [&](size_t q, size_t i) { return matches[q][i].count; }), note);
      // Of equal ones first those with more matches: there are fewer than 1,000.
      PrintQuality(set, absl::StrCat(name, ", matches that agree"),
                   RankBy(count, database.size(),
                          [&](size_t q, size_t i) { return matches[q][i].agreeing + matches[q][i].count / 1000.0; }),
                   note);
    }
    return absl::OkStatus();
  }

  const QualityOptions options_;
  const std::string shared_;  // empty without SIGHTLINE_SHARED_DATA
  const std::string folder_;
  std::vector<QualitySet> sets_;
};

}  // namespace

int RunQuality(const std::vector<std::string>& arguments) {
  absl::StatusOr<QualityOptions> options = ParseQuality(arguments);
  if (!options.ok()) {
    std::fprintf(stderr, "sightline-bench quality: %s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  model::UseWholeCpu();
  base::SetLogLevel(base::Severity::kError);
  PrintMachine("quality");
  const char* const shared = std::getenv("SIGHTLINE_SHARED_DATA");
  const sightline::testing::TempFolder folder;
  const absl::Status status = Quality(*std::move(options), shared == nullptr ? "" : shared, folder.path()).Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "sightline-bench quality: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace sightline::bench
