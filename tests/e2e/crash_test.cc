// The server is killed (SIGKILL) again and again while descriptors with patch tokens stream in, some of them replacing
// older ones, some deleted. An oracle knows what was acknowledged: after every restart each acknowledged record is
// there, whole and found by a search for itself; a record whose write was under way is there wholly, old or new, or not
// at all.
//
// SIGHTLINE_KILL_CYCLES sets the number of kills (30, and a sixth of it of restores), SIGHTLINE_SEED the random choices
// (printed).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

constexpr int kDefaultCycles = 30;
// Then the data are made anew, so that many cycles take as long each as few.
constexpr int kCyclesOfOneFolder = 50;

constexpr int kDim = 32;
constexpr int kTokenDim = 16;
constexpr int kCells = 12;

// What an id may hold: the versions that were sent since the last acknowledged state, and that state. Version 0 is "not
// there".
struct Expected {
  int acknowledged = 0;
  int64_t revision = 0;
  std::vector<int> under_way = {};
  bool touched = false;  // since it was verified
  bool Allows(int version) const {
    return version == acknowledged || std::find(under_way.begin(), under_way.end(), version) != under_way.end();
  }
};

int FromEnvironment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

class CrashTest : public ::testing::Test {
 protected:
  CrashTest()
      : seed_(static_cast<unsigned>(FromEnvironment("SIGHTLINE_SEED", static_cast<int>(std::random_device()() >> 1)))),
        random_(seed_) {
    std::printf("SIGHTLINE_SEED=%u\n", seed_);
    std::fflush(stdout);
  }

  // Everything in a record follows from id and version, so that half of one and half of another cannot pass for whole.
  static v1::IndexRequest Write(int id, int version) {
    std::mt19937 random(static_cast<unsigned>(id * 100'003 + version));
    std::normal_distribution<float> normal;
    v1::IndexRequest request;
    request.set_collection("v");
    request.set_request_id(absl::StrCat("write-", id, "-", version));
    auto& item = *request.mutable_item();
    item.set_id(absl::StrCat("image-", id));
    (*item.mutable_attributes())["version"].set_int64_value(version);
    auto& vector = *item.mutable_global_descriptor();
    vector.set_embedding_space("space");
    for (int i = 0; i < kDim; ++i) vector.add_values(normal(random));
    auto& tokens = *item.mutable_tokens();
    tokens.set_token_space("space");
    tokens.set_height(3);
    tokens.set_width(4);
    tokens.set_dim(kTokenDim);
    tokens.set_precision(v1::PatchTokens::PRECISION_INT8);
    for (int i = 0; i < kCells * kTokenDim; ++i) tokens.mutable_values()->push_back(static_cast<char>(random()));
    for (int i = 0; i < kCells; ++i) tokens.add_scales(0.01f * static_cast<float>(1 + random() % 100));
    for (int i = 0; i < kCells; ++i) tokens.add_importance(1.0f / kCells);
    for (int i = 0; i < kTokenDim; ++i) tokens.add_centre(normal(random));
    return request;
  }

  void StartServer() {
    auto server = ServerProcess::Start({.folder = folder_.path()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = *client::Client::Connect({.address = server_->address()});
  }

  // Streams writes until the server is killed after a random time, by another thread as it would be by the kernel.
  void StreamUntilKilled() {
    std::uniform_int_distribution<int> milliseconds(5, 120);
    const int delay = milliseconds(random_);
    std::thread killer([this, delay] {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      server_->Kill();
    });
    std::map<std::string, std::pair<int, int>> sent;
    const auto source = [&]() -> std::optional<v1::IndexRequest> {
      // A third of the writes replace an id; the rest are new.
      const bool replace = next_id_ > 0 && random_() % 3 == 0;
      const int id = replace ? static_cast<int>(random_() % static_cast<unsigned>(next_id_)) : next_id_++;
      const int version = ++last_version_;
      expected_[id].under_way.push_back(version);
      expected_[id].touched = true;
      v1::IndexRequest request = Write(id, version);
      sent[request.request_id()] = {id, version};
      return request;
    };
    const auto tell = [&](const client::ItemOutcome& outcome) {
      const auto [id, version] = sent.at(outcome.request_id);
      if (!outcome.status.ok()) return;
      ++acknowledged_;
      Expected& expected = expected_[id];
      // Two writes of one id may be under way at once and be done in either order; the newer one's acknowledgement does
      // not say that the older one is past. The record's own revision orders them.
      if (outcome.response.revision() > expected.revision) {
        expected.revision = outcome.response.revision();
        expected.acknowledged = version;
      }
      std::erase(expected.under_way, version);
    };
    client::IndexManyOptions options;
    options.patience = absl::ZeroDuration();  // the first break ends it
    const auto summary = client_->IndexMany(source, tell, options);
    killer.join();
    EXPECT_FALSE(summary.ok()) << "the kill ended the stream";
  }

  // Checks the ids that may have changed since the last time, and of the others one in `sample`.
  void Verify(unsigned sample) {
    for (auto& [id, expected] : expected_) {
      if (!expected.touched && random_() % sample != 0) continue;
      ASSERT_NO_FATAL_FAILURE(VerifyOne(id, expected));
    }
    const auto there = std::count_if(expected_.begin(), expected_.end(),
                                     [](const auto& entry) { return entry.second.acknowledged > 0; });
    EXPECT_EQ(client_->GetCollection("v")->stats().images(), there) << "there are records that nobody wrote";
  }

  // Reads a record whole; what is found becomes the acknowledged state.
  void VerifyOne(int id, Expected& expected) {
    v1::GetImageRequest get;
    get.set_collection("v");
    get.set_id(absl::StrCat("image-", id));
    get.set_view(v1::IMAGE_VIEW_VECTORS);
    const auto image = client_->GetImage(get);
    if (!image.ok()) {
      ASSERT_EQ(image.status().code(), absl::StatusCode::kNotFound) << image.status();
      ASSERT_TRUE(expected.Allows(0)) << get.id() << " is lost: version " << expected.acknowledged
                                      << " was acknowledged";
      expected = {};
      return;
    }
    const int version = static_cast<int>(image->attributes().at("version").int64_value());
    ASSERT_TRUE(expected.Allows(version))
        << get.id() << " holds version " << version << ", acknowledged is " << expected.acknowledged;
    const v1::IndexRequest whole = Write(id, version);
    ASSERT_EQ(image->tokens().SerializeAsString(), whole.item().tokens().SerializeAsString()) << get.id();
    ExpectSameDirection(image->global_descriptor(), whole.item().global_descriptor());
    ExpectFound(get.id(), image->global_descriptor());
    expected = {.acknowledged = version, .revision = image->revision()};
  }

  static void ExpectSameDirection(const v1::EmbeddingVector& normalised, const v1::EmbeddingVector& sent) {
    double norm = 0;
    for (const float value : sent.values()) norm += static_cast<double>(value) * value;
    ASSERT_EQ(normalised.values_size(), sent.values_size());
    for (int i = 0; i < sent.values_size(); ++i) {
      ASSERT_NEAR(normalised.values(i), sent.values(i) / std::sqrt(norm), 1e-6);
    }
  }

  void ExpectFound(const std::string& id, const v1::EmbeddingVector& descriptor) {
    v1::SearchRequest search;
    search.set_collection("v");
    search.set_top_k(1);
    *search.mutable_query()->add_parts()->mutable_global_descriptor() = descriptor;
    const auto answer = client_->Search(search);
    ASSERT_TRUE(answer.ok()) << answer.status();
    ASSERT_EQ(answer->results_size(), 1);
    EXPECT_EQ(answer->results(0).id(), id);
    EXPECT_NEAR(answer->results(0).score(), 1, 1e-5);
  }

  // A few acknowledged deletes, which must not come back.
  void DeleteSome() {
    v1::DeleteImagesRequest remove;
    remove.set_collection("v");
    for (int i = 0; i < 3 && next_id_ > 0; ++i) {
      const int id = static_cast<int>(random_() % static_cast<unsigned>(next_id_));
      remove.add_ids(absl::StrCat("image-", id));
      expected_[id] = {.touched = true};
    }
    if (remove.ids_size() == 0) return;
    const auto removed = client_->DeleteImages(remove);
    ASSERT_TRUE(removed.ok()) << removed.status();
  }

  const unsigned seed_;
  std::mt19937 random_;
  TempFolder folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<client::Client> client_;
  std::map<int, Expected> expected_;
  int next_id_ = 0;
  int last_version_ = 0;
  int64_t acknowledged_ = 0;
};

TEST_F(CrashTest, NoAcknowledgedRecordIsLostOrHalfWritten) {
  const int cycles = FromEnvironment("SIGHTLINE_KILL_CYCLES", kDefaultCycles);
  for (int cycle = 1; cycle <= cycles; ++cycle) {
    SCOPED_TRACE(absl::StrCat("cycle ", cycle, ", SIGHTLINE_SEED=", seed_));
    if (cycle % kCyclesOfOneFolder == 1) {
      ASSERT_NO_FATAL_FAILURE(StartServer());
      ASSERT_TRUE(client_->CreateCollection(NewCollection("v", kDim)).ok());
    }
    StreamUntilKilled();
    ASSERT_NO_FATAL_FAILURE(StartServer());
    ASSERT_NO_FATAL_FAILURE(Verify(/*sample=*/50));
    ASSERT_NO_FATAL_FAILURE(DeleteSome());
    if (cycle % kCyclesOfOneFolder != 0 && cycle != cycles) continue;
    ASSERT_NO_FATAL_FAILURE(Verify(/*sample=*/1));
    EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    std::printf("%d kills, %lld acknowledged writes, none lost or half-written; the last %d ids are whole\n", cycle,
                static_cast<long long>(acknowledged_), next_id_);
    std::fflush(stdout);
    server_.reset();
    std::filesystem::remove_all(folder_.path() + "/data");
    expected_.clear();
    next_id_ = 0;
  }
  EXPECT_GT(acknowledged_, cycles) << "the kills came before anything was written: the test proved nothing";
}

// R17: the server is killed while it restores a snapshot, and right after it has. What is there after the restart is
// the whole collection or nothing, and the snapshot is as good as before.
TEST_F(CrashTest, ARestoreThatIsKilledLeavesAllOrNothing) {
  static constexpr int kRecords = 300;
  const int cycles = FromEnvironment("SIGHTLINE_KILL_CYCLES", kDefaultCycles) / 6;
  ASSERT_NO_FATAL_FAILURE(StartServer());
  ASSERT_TRUE(client_->CreateCollection(NewCollection("v", kDim)).ok());
  for (int id = 0; id < kRecords; ++id) {
    const auto written = client_->Index(Write(id, 1));
    ASSERT_TRUE(written.ok()) << written.status();
  }
  const auto whole = [this](const std::string& name) {
    EXPECT_EQ(client_->GetCollection(name)->stats().images(), kRecords);
    for (int id = 0; id < kRecords; ++id) {
      v1::GetImageRequest get;
      get.set_collection(name);
      get.set_id(absl::StrCat("image-", id));
      get.set_view(v1::IMAGE_VIEW_VECTORS);
      const auto image = client_->GetImage(get);
      ASSERT_TRUE(image.ok()) << name << ": " << image.status();
      const v1::IndexRequest written = Write(id, 1);
      ASSERT_EQ(image->tokens().SerializeAsString(), written.item().tokens().SerializeAsString()) << get.id();
      ExpectSameDirection(image->global_descriptor(), written.item().global_descriptor());
    }
  };
  const auto end_of = [this](const absl::StatusOr<v1::Operation>& started) -> absl::Status {
    if (!started.ok()) return started.status();
    return client_->WaitForOperation(started->name(), nullptr).status();
  };
  ASSERT_EQ(end_of(client_->CreateSnapshot("v")), absl::OkStatus());
  const std::string snapshot = client_->ListSnapshots()->front().name();
  // So that kills come at every moment of it. The client takes a while to see the end, so most come early in that time.
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(end_of(client_->RestoreSnapshot(snapshot, "undisturbed")), absl::OkStatus());
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  std::uniform_real_distribution<double> part(0, 1);

  int there = 0;
  for (int cycle = 1; cycle <= cycles; ++cycle) {
    SCOPED_TRACE(absl::StrCat("cycle ", cycle, ", SIGHTLINE_SEED=", seed_));
    const auto started = client_->RestoreSnapshot(snapshot, "killed");
    ASSERT_TRUE(started.ok()) << started.status();
    std::this_thread::sleep_for(took * std::pow(part(random_), 3));
    server_->Kill();
    ASSERT_NO_FATAL_FAILURE(StartServer());
    const auto operation = client_->GetOperation(started->name());
    ASSERT_TRUE(operation.ok()) << operation.status();
    const absl::Status found = client_->GetCollection("killed").status();
    if (operation->state() == v1::Operation::STATE_SUCCEEDED) {
      EXPECT_TRUE(found.ok()) << found << ": it was said to be there";
    } else {
      EXPECT_EQ(operation->state(), v1::Operation::STATE_FAILED);
    }
    if (found.ok()) {
      ++there;
      ASSERT_NO_FATAL_FAILURE(whole("killed"));
      ASSERT_TRUE(client_->DeleteCollection("killed").ok());
    } else {
      EXPECT_EQ(found.code(), absl::StatusCode::kNotFound) << found;
    }
    ASSERT_EQ(end_of(client_->RestoreSnapshot(snapshot, "again")), absl::OkStatus()) << "the snapshot is whole";
    server_->Kill();
    ASSERT_NO_FATAL_FAILURE(StartServer());
    ASSERT_NO_FATAL_FAILURE(whole("again"));
    ASSERT_TRUE(client_->DeleteCollection("again").ok());
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path() + "/data/staging")) << "what was begun is removed";
    ASSERT_EQ(client_->ListAllCollections()->size(), 2u);
  }
  ASSERT_NO_FATAL_FAILURE(whole("v"));
  EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
  std::printf("%d kills during a restore of %lld ms, %d of them too late to stop it\n", cycles,
              static_cast<long long>(took.count() / 1000), there);
}

}  // namespace
}  // namespace sightline::testing
