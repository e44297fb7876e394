// `sightline evaluate` against the real server with a real, untrained model, compared with measures that the test takes
// of the service's own answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "client/cli/run.h"
#include "client/cpp/client.h"
#include "tests/e2e/picture.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kThings = 4;

class EvaluateTest : public ::testing::Test {
 protected:
  // Of each thing three pictures for the database, the last one junk, and one query; and three distractors.
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    auto server = ServerProcess::Start({.folder = folder_->path(),
                                        .flags = {"--models=dtop_seeded", "--allow_untrained",
                                                  "--model_root=" SIGHTLINE_MODEL_ROOT, "--warm_up=none"}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = *client::Client::Connect({.address = server_->address()});
    std::string truth = "query,image,relevance,x0,y0,x1,y1\n";
    for (int thing = 0; thing < kThings; ++thing) {
      const auto seed = static_cast<unsigned>(thing + 1);
      const std::string query = absl::StrCat("query/", thing, ".jpg");
      Write(query, NoisePicture(seed, 128, 96));
      const char* const relevance[] = {"easy", "hard", "junk"};
      for (int view = 0; view < 3; ++view) {
        // Of the same noise the first has another size; the others are other noise, so that the untrained model errs.
        const std::string image = absl::StrCat("index/", thing, "_", view, ".jpg");
        Write(image, NoisePicture(view == 0 ? seed : seed * 100 + static_cast<unsigned>(view), 96 + 16 * view, 64));
        absl::StrAppend(&truth, query, ",", image, ",", relevance[view], ",", "8,4,120,90\n");
      }
    }
    for (unsigned i = 0; i < 3; ++i) Write(absl::StrCat("../more/", i, ".jpg"), NoisePicture(900 + i));
    std::ofstream(Path("ground_truth.csv")) << truth;
  }

  static void TearDownTestSuite() {
    client_.reset();
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    }
    server_.reset();
    folder_.reset();
  }

  static std::string Path(const std::string& name) { return absl::StrCat(folder_->path(), "/pictures/", name); }

  static void Write(const std::string& name, const std::string& bytes) {
    fs::create_directories(fs::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }

  int RunWords(std::vector<std::string> words) {
    cli::StringSink out;
    cli::StringSink err;
    cli::Context context{.out = out,
                         .err = err,
                         .clock = base::Clock::Real(),
                         .default_address = server_->address(),
                         .interrupted = interrupted_};
    writing_ = &err;
    const int code = cli::Run(context, words);
    writing_ = nullptr;
    out_ = out.text();
    err_ = err.text();
    return code;
  }

  // The Medium mAP of what the service answers, from the definition: precision before and at each right image.
  static double MediumMap(const std::string& collection, bool rerank) {
    double sum = 0;
    for (int thing = 0; thing < kThings; ++thing) {
      client::SearchOptions search;
      search.collection = collection;
      search.query = client::Query::ImageFile(Path(absl::StrCat("query/", thing, ".jpg")))
                         .Crop(8, 4, 120, 90, v1::CropBox::UNIT_PIXEL);
      search.top_k = 100;
      search.rerank.set_method(rerank ? v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT : v1::RerankOptions::METHOD_OFF);
      const auto answer = client_->Search(search);
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (!answer.ok()) return -1;
      EXPECT_EQ(answer->results_size(), 3 * kThings + 3);
      double before = 1;
      double found = 0;
      double seen = 0;
      for (const auto& result : answer->results()) {
        if (result.id() == absl::StrCat("index/", thing, "_2.jpg")) continue;  // junk
        ++seen;
        const bool right = absl::StartsWith(result.id(), absl::StrCat("index/", thing, "_"));
        found += right ? 1 : 0;
        if (right) sum += (before + found / seen) / 2 / 2 / kThings;
        before = found / seen;
      }
    }
    return sum;
  }

  // The number behind `key` in the text of the run's split.
  double JsonNumber(const std::string& run, const std::string& split, const std::string& key) const {
    size_t at = out_.find(absl::StrCat("\"run\":\"", run, "\""));
    at = out_.find(absl::StrCat("\"split\":\"", split, "\""), at);
    at = out_.find(absl::StrCat("\"", key, "\":"), at);
    if (at == std::string::npos) return -1;
    return std::stod(out_.substr(at + key.size() + 3));
  }

  inline static std::unique_ptr<TempFolder> folder_;
  inline static std::unique_ptr<ServerProcess> server_;
  inline static std::unique_ptr<client::Client> client_;
  // How many collections there are that a run has made for itself.
  static int Temporary() {
    const auto collections = client_->ListAllCollections();
    EXPECT_TRUE(collections.ok()) << collections.status();
    int count = 0;
    for (const auto& collection : *collections) count += absl::StartsWith(collection.name(), "evaluate-") ? 1 : 0;
    return count;
  }

  std::function<bool()> interrupted_;
  const cli::StringSink* writing_ = nullptr;  // standard error of a run under way
  std::string out_;
  std::string err_;
};

TEST_F(EvaluateTest, MeasuresWhatTheServiceAnswers) {
  const std::string page = Path("page.html");
  ASSERT_EQ(RunWords({"evaluate", Path("ground_truth.csv"), "--images", Path(""), "--queries", Path(""), "--collection",
                      "bench", "--distractors", Path("../more"), "--compare", "--json", "--html", page, "--model",
                      "dtop_seeded"}),
            0)
      << err_;
  EXPECT_NEAR(JsonNumber("plain", "Medium", "mAP"), MediumMap("bench", false), 1e-6) << out_;
  EXPECT_NEAR(JsonNumber("re-ranked", "Medium", "mAP"), MediumMap("bench", true), 1e-6) << out_;
  EXPECT_EQ(JsonNumber("plain", "Medium", "queries"), kThings);
  EXPECT_THAT(out_, HasSubstr("is untrained"));
  const std::string html = *base::ReadFile(page, 64 << 20);
  EXPECT_THAT(html, HasSubstr("data:image/jpeg;base64,"));
  EXPECT_THAT(html, HasSubstr("<svg viewBox=\"0 0 128 96\""));
  EXPECT_TRUE(client_->GetCollection("bench").ok());
}

TEST_F(EvaluateTest, ATemporaryCollectionGoesAndRankingsAreReadBack) {
  const std::string rankings = Path("rankings.csv");
  ASSERT_EQ(RunWords({"evaluate", "csv", Path("ground_truth.csv"), "--images", Path(""), "--json", "--save_rankings",
                      rankings, "--rerank", "off"}),
            0)
      << err_;
  const double measured = JsonNumber("search", "Medium", "mAP");
  EXPECT_GT(measured, 0);
  EXPECT_EQ(Temporary(), 0);
  ASSERT_EQ(RunWords({"evaluate", "csv", Path("ground_truth.csv"), "--rankings", rankings, "--json"}), 0) << err_;
  EXPECT_NEAR(JsonNumber("rankings", "Medium", "mAP"), measured, 1e-12);
  // With the folder, the page has pictures though nothing was indexed; one that is gone is named.
  fs::rename(Path("index/0_1.jpg"), Path("elsewhere.jpg"));
  const std::string page = Path("rankings.html");
  EXPECT_EQ(RunWords({"evaluate", "csv", Path("ground_truth.csv"), "--rankings", rankings, "--images", Path(""),
                      "--html", page}),
            0)
      << err_;
  fs::rename(Path("elsewhere.jpg"), Path("index/0_1.jpg"));
  const std::string html = *base::ReadFile(page, 64 << 20);
  EXPECT_THAT(html, HasSubstr("data:image/jpeg;base64,"));
  EXPECT_THAT(html, HasSubstr("it is not below --images."));
  EXPECT_THAT(html, HasSubstr("<svg viewBox=\"0 0 128 96\""));
}

TEST_F(EvaluateTest, CtrlCWhileIndexingDeletesWhatTheRunMade) {
  const std::vector<std::string> words = {
      "evaluate", "csv", Path("ground_truth.csv"), "--images", Path(""), "--in_flight", "1", "--json"};
  int asked = 0;
  interrupted_ = [&] { return ++asked > 4; };
  EXPECT_EQ(RunWords(words), 130);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr(" not reached. The collection made for this run is deleted; with --keep, another run"));
  EXPECT_EQ(Temporary(), 0);
  // One that stays is gone on with.
  std::vector<std::string> keeping = words;
  keeping.push_back("--keep");
  asked = 0;
  EXPECT_EQ(RunWords(keeping), 130);
  EXPECT_THAT(err_, HasSubstr(" not reached. Run the same command again to go on"));
  EXPECT_EQ(Temporary(), 1);
  interrupted_ = nullptr;
  EXPECT_EQ(RunWords(keeping), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("already indexed"));
  const auto collections = client_->ListAllCollections();
  for (const auto& collection : *collections) {
    if (!absl::StartsWith(collection.name(), "evaluate-")) continue;
    EXPECT_TRUE(client_->DeleteCollection(collection.name()).ok());
  }
}

TEST_F(EvaluateTest, CtrlCWhileSearchingDeletesItTooAndSaysSo) {
  interrupted_ = [&] { return absl::StrContains(writing_->text(), "indexed 12 images"); };
  EXPECT_EQ(RunWords({"evaluate", "csv", Path("ground_truth.csv"), "--images", Path("")}), 130);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("the evaluation was interrupted. Run it again."));
  EXPECT_EQ(Temporary(), 0);
}

// The rest of a collection is a thousand descriptors: nothing is embedded, and two pages are needed.
TEST_F(EvaluateTest, MoreThanAThousandImagesArePagedThrough) {
  constexpr int kMore = 1100;
  const std::vector<std::string> words = {
      "evaluate", "csv",   Path("ground_truth.csv"), "--images", Path(""), "--collection", "paged", "--rerank",
      "off",      "--json"};
  ASSERT_EQ(RunWords(words), 0) << err_;
  const auto collection = client_->GetCollection("paged");
  ASSERT_TRUE(collection.ok()) << collection.status();
  int sent = 0;
  const auto summary = client_->IndexMany(
      [&]() -> std::optional<v1::IndexRequest> {
        if (sent == kMore) return std::nullopt;
        v1::IndexRequest request;
        request.set_collection("paged");
        request.mutable_item()->set_id(absl::StrCat("more/", sent));
        auto& descriptor = *request.mutable_item()->mutable_global_descriptor();
        descriptor.set_embedding_space(collection->embedding_space());
        for (int i = 0; i < collection->descriptor_dim(); ++i) {
          descriptor.add_values(static_cast<float>((sent * 31 + i * 17) % 101 - 50));
        }
        ++sent;
        return request;
      },
      [](const client::ItemOutcome& outcome) { EXPECT_TRUE(outcome.status.ok()) << outcome.status; }, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  std::vector<std::string> saving = words;
  const std::string rankings = Path("paged.csv");
  saving.insert(saving.end(), {"--save_rankings", rankings});
  ASSERT_EQ(RunWords(saving), 0) << err_;
  EXPECT_EQ(JsonNumber("search", "Medium", "positives_not_found"), 0) << out_;
  const double measured = JsonNumber("search", "Medium", "mAP");
  const std::string lines = *base::ReadFile(rankings, 64 << 20);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1 + kThings * (3 * kThings + kMore));
  // Each image once, or it would be refused.
  ASSERT_EQ(RunWords({"evaluate", "csv", Path("ground_truth.csv"), "--rankings", rankings, "--json"}), 0) << err_;
  EXPECT_NEAR(JsonNumber("rankings", "Medium", "mAP"), measured, 1e-12);
}

TEST_F(EvaluateTest, RefusesWithASentence) {
  EXPECT_EQ(RunWords({"evaluate"}), 64);
  EXPECT_EQ(RunWords({"evaluate", Path("ground_truth.csv")}), 64);
  EXPECT_THAT(err_, HasSubstr("--rankings FILE"));
  EXPECT_EQ(RunWords({"evaluate", "revisitd", Path("ground_truth.csv"), "--images", Path("")}), 64);
  EXPECT_THAT(err_, HasSubstr("Did you mean revisited?"));
  EXPECT_EQ(RunWords({"evaluate", Path("ground_truth.csv"), "--images", Path("query")}), 1);
  EXPECT_THAT(err_, HasSubstr("4 of 4 query pictures are not below"));
  EXPECT_EQ(RunWords({"evaluate", Path("ground_truth.csv"), "--images", Path("query"), "--queries", Path("")}), 1);
  EXPECT_THAT(err_, HasSubstr("12 of 12 images are not below"));
  EXPECT_EQ(RunWords({"evaluate", Path("ground_truth.csv"), "--images", Path(""), "--depth", "20000"}), 64);
  EXPECT_EQ(RunWords({"evaluate", Path("absent.pkl"), "--images", Path("")}), 1);
}

}  // namespace
}  // namespace sightline::testing
