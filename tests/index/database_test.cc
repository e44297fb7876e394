// Databases: creating, finding and deleting collections, the lock, the format, and damaged files.
#include "index/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "index/validate.h"
#include "tests/index/index_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class DatabaseTest : public IndexTest {
 protected:
  std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }

  // The folder of a collection.
  fs::path FolderOf(const std::string& name) const {
    for (const auto& entry : fs::directory_iterator(options_.directory + "/collections")) {
      if (absl::StartsWith(entry.path().filename().string(), name + ".")) return entry.path();
    }
    return {};
  }

  std::mt19937 random_{17};
};

TEST_F(DatabaseTest, CreatesFindsListsAndDeletes) {
  Start();
  EXPECT_EQ(Reason(database_->Create(config_).status()), "COLLECTION_EXISTS");
  const auto missing = database_->Find("nobody").status();
  EXPECT_EQ(Reason(missing), "COLLECTION_NOT_FOUND");
  // Not for everyone's eyes: a key may be limited to other collections.
  EXPECT_THAT(std::string(missing.message()), Not(HasSubstr("shop")));
  config_.name = "art";
  ASSERT_TRUE(database_->Create(config_).ok());
  ASSERT_EQ(database_->List().size(), 2u);
  EXPECT_EQ(database_->List()[0]->config().name, "art");

  ASSERT_TRUE(collection_->Put(MakeWrite("a", RandomVector(random_, 8))).ok());
  EXPECT_EQ(*database_->Delete("shop"), 1);
  EXPECT_EQ(Reason(database_->Delete("shop").status()), "COLLECTION_NOT_FOUND");
  EXPECT_TRUE(fs::is_empty(options_.directory + "/trash"));
  EXPECT_EQ(FolderOf("shop"), fs::path());

  const std::vector<float> vector = RandomVector(random_, 8);
  const std::vector<std::string> ids = {"a"};
  SearchQuery query;
  query.descriptor = vector;
  EXPECT_TRUE(absl::IsNotFound(collection_->Get("a", RecordView::kMetadata).status()));
  EXPECT_TRUE(absl::IsNotFound(collection_->Put(MakeWrite("b", vector)).status()));
  EXPECT_TRUE(absl::IsNotFound(collection_->Delete(ids).status()));
  EXPECT_TRUE(absl::IsNotFound(collection_->UpdateAttributes("a", {}).status()));
  EXPECT_TRUE(absl::IsNotFound(collection_->List(1, "", RecordView::kMetadata, "").status()));
  EXPECT_TRUE(absl::IsNotFound(collection_->Search(query).status()));
  EXPECT_EQ(collection_->Stats().images, 0);
  EXPECT_EQ(collection_->SearchCost(), 0);

  config_.name = "shop";
  collection_ = *database_->Create(config_);
  EXPECT_EQ(collection_->Stats().images, 0);
}

TEST_F(DatabaseTest, RefusesBadSettings) {
  Open();
  config_.name = "../x";
  EXPECT_EQ(Reason(database_->Create(config_).status()), "COLLECTION_NAME_INVALID");
  config_.name = "x";
  config_.hnsw_m = 1'000'000;
  EXPECT_EQ(database_->Create(config_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::is_empty(options_.directory + "/collections"));
  EXPECT_TRUE(fs::is_empty(options_.directory + "/staging"));
}

TEST_F(DatabaseTest, KeepsSettingsOverARestart) {
  config_.model = "dtop_tiny";
  config_.description = "Things that we sell";
  config_.index_kind = IndexKind::kExact;
  config_.hnsw_m = 24;
  Start();
  const CollectionConfig before = collection_->config();
  EXPECT_EQ(before.create_time, clock_.Now());
  Restart();
  const CollectionConfig after = collection_->config();
  EXPECT_EQ(after.model, before.model);
  EXPECT_EQ(after.description, before.description);
  EXPECT_EQ(after.index_kind, before.index_kind);
  EXPECT_EQ(after.hnsw_m, before.hnsw_m);
  EXPECT_EQ(after.create_time, before.create_time);
  EXPECT_EQ(after.keep_image, before.keep_image);
  EXPECT_EQ(after.embedding_space, before.embedding_space);
  EXPECT_EQ(after.token_space, before.token_space);
}

TEST_F(DatabaseTest, ASecondOpenIsRefused) {
  Open();
  EXPECT_EQ(Reason(Database::Open(options_).status()), "ALREADY_LOCKED");
  database_.reset();
  Open();
}

TEST_F(DatabaseTest, AnUnknownFormatIsRefusedInWords) {
  Open();
  database_.reset();
  ASSERT_TRUE(base::WriteFileDurably(options_.directory + "/FORMAT", "sightline data directory, format 2\n").ok());
  EXPECT_EQ(Reason(Database::Open(options_).status()), "FORMAT_UNKNOWN");
}

TEST_F(DatabaseTest, TidiesUpAfterInterruptedCreatesAndDeletes) {
  Start();
  collection_.reset();
  database_.reset();
  fs::copy(FolderOf("shop"), options_.directory + "/staging/new.1234", fs::copy_options::recursive);
  fs::copy(FolderOf("shop"), options_.directory + "/trash/old.1234", fs::copy_options::recursive);
  Open();
  EXPECT_TRUE(fs::is_empty(options_.directory + "/staging"));
  EXPECT_TRUE(fs::is_empty(options_.directory + "/trash"));
  EXPECT_EQ(database_->List().size(), 1u);
}

TEST_F(DatabaseTest, ACopiedFolderIsSetAside) {
  Start();
  collection_.reset();
  database_.reset();
  fs::copy(FolderOf("shop"), options_.directory + "/collections/shop.zz", fs::copy_options::recursive);
  fs::copy(FolderOf("shop"), options_.directory + "/collections/other.00", fs::copy_options::recursive);
  Open();
  EXPECT_EQ(database_->List().size(), 1u);
  EXPECT_EQ(database_->damaged().size(), 2u);
}

TEST_F(DatabaseTest, CallsInFlightSurviveADeletion) {
  Start();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(collection_->Put(MakeWrite("", RandomVector(random_, 8))).ok());
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      std::mt19937 random(t);
      while (true) {
        const auto vector = RandomVector(random, 8);
        SearchQuery query;
        query.descriptor = vector;
        const absl::Status status = t == 0   ? collection_->Put(MakeWrite("", vector)).status()
                                    : t == 1 ? collection_->Search(query).status()
                                             : collection_->List(5, "", RecordView::kVectors, "").status();
        if (status.ok()) continue;
        EXPECT_TRUE(absl::IsNotFound(status)) << status;
        return;
      }
    });
  }
  EXPECT_GE(*database_->Delete("shop"), 50);
  for (std::thread& thread : threads) thread.join();
}

// One byte is flipped in one file of a closed collection: the other collection is served in any case, and this one is
// set aside, or answers every read either correctly or with an error.
TEST_F(DatabaseTest, AFlippedByteIsNeverServed) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  config_.name = "healthy";
  Start();
  ASSERT_TRUE(collection_->Put(MakeWrite("a", RandomVector(random, 8))).ok());
  config_.name = "shop";
  collection_ = *database_->Create(config_);
  std::map<std::string, Record> expected;
  for (int i = 0; i < 40; ++i) {
    Write write = MakeWrite(absl::StrCat("r", i), RandomVector(random, 8));
    write.record.tokens = RandomTokens(random, 7, 7, i % 2 == 0 ? 8 : 128);
    write.record.source_uri = absl::StrCat("uri", i);
    expected[write.record.id] = write.record;
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  }
  collection_.reset();
  database_.reset();
  const std::string pristine = folder_.path() + "/pristine";
  fs::copy(options_.directory, pristine, fs::copy_options::recursive);
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(FolderOf("shop"))) {
    const std::string name = entry.path().filename().string();
    // RocksDB's own log, its lock and its note of options are not read at start.
    if (absl::StartsWith(name, "LOG") || name == "LOCK" || absl::StartsWith(name, "OPTIONS") || name == "IDENTITY")
      continue;
    if (entry.is_regular_file() && fs::file_size(entry.path()) > 0) files.push_back(entry.path());
  }
  int set_aside = 0;
  int errors = 0;
  for (int round = 0; round < 60; ++round) {
    fs::remove_all(options_.directory);
    fs::copy(pristine, options_.directory, fs::copy_options::recursive);
    const fs::path& file = files[static_cast<size_t>(round) % files.size()];
    const auto at = random() % fs::file_size(file);
    SCOPED_TRACE(absl::StrCat(file.filename().string(), " byte ", at));
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(stream.get() ^ (1 << random() % 8));
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
    stream.close();

    Open();
    ASSERT_TRUE(database_->Find("healthy").ok());
    const auto damaged = database_->damaged();
    if (!damaged.empty()) {
      EXPECT_EQ(damaged[0].name, "shop");
      EXPECT_FALSE(damaged[0].status.ok());
      EXPECT_FALSE(database_->Find("shop").ok());
      EXPECT_FALSE(database_->Create(config_).ok());
      ++set_aside;
    } else {
      const auto collection = *database_->Find("shop");
      EXPECT_EQ(collection->Stats().images, 40);
      for (const auto& [id, record] : expected) {
        const auto got = collection->Get(id, RecordView::kVectors);
        if (!got.ok()) {
          EXPECT_TRUE(absl::IsDataLoss(got.status())) << got.status();
          ++errors;
          continue;
        }
        EXPECT_EQ(got->source_uri, record.source_uri);
        EXPECT_EQ(got->descriptor, *NormalizeDescriptor(record.descriptor, 8));
        ASSERT_TRUE(got->tokens);
        EXPECT_EQ(got->tokens->values, record.tokens->values);
      }
    }
    database_.reset();
  }
  EXPECT_GT(set_aside, 0);
  RecordProperty("set_aside", set_aside);
  RecordProperty("read_errors", errors);
}

// The log is cut where a crash may cut it: anywhere. What is left of an incomplete batch is dropped whole, and every
// batch before it is there whole.
// Copies a data directory as a kill would leave it. RocksDB removes files it needs no more in the background, soon
// after it has opened: one that vanishes while it is copied is no part of the copy.
bool CopyWhileOpen(const std::string& from, const std::string& to) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::error_code error;
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive, error);
    if (!error) return true;
  }
  return false;
}

TEST_F(DatabaseTest, ATornLogKeepsEveryCompleteWrite) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  Start();
  std::vector<Record> written;
  for (int i = 0; i < 3; ++i) {
    Write write = MakeWrite(absl::StrCat("r", i), RandomVector(random, 8), absl::StrCat("request", i));
    write.record.tokens = RandomTokens(random, 7, 7, 4);
    written.push_back(write.record);
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  }
  const std::string pristine = folder_.path() + "/pristine";
  ASSERT_TRUE(CopyWhileOpen(options_.directory, pristine));
  fs::path log;
  for (const auto& entry : fs::directory_iterator(FolderOf("shop"))) {
    if (entry.path().extension() == ".log" && fs::file_size(entry.path()) > 0) log = entry.path();
  }
  ASSERT_FALSE(log.empty());
  const auto size = fs::file_size(log);
  collection_.reset();
  database_.reset();
  uint64_t complete_before = 0;
  constexpr uint64_t kCuts = 40;
  for (uint64_t cut = 0; cut <= kCuts; ++cut) {
    const uint64_t kept = cut == kCuts ? size : size * cut / kCuts + random() % (size / kCuts);
    SCOPED_TRACE(absl::StrCat("kept ", kept, " of ", size, " bytes"));
    fs::remove_all(options_.directory);
    fs::copy(pristine, options_.directory, fs::copy_options::recursive);
    fs::resize_file(log, kept);
    Open();
    ASSERT_TRUE(database_->damaged().empty()) << database_->damaged()[0].status;
    const auto collection = *database_->Find("shop");
    const auto complete = static_cast<uint64_t>(collection->Stats().images);
    ASSERT_GE(complete, complete_before);
    ASSERT_LE(complete, written.size());
    complete_before = complete;
    for (size_t i = 0; i < written.size(); ++i) {
      const auto got = collection->Get(written[i].id, RecordView::kVectors);
      ASSERT_EQ(got.ok(), i < complete) << got.status();
      if (!got.ok()) continue;
      EXPECT_EQ(got->descriptor, *NormalizeDescriptor(written[i].descriptor, 8));
      ASSERT_TRUE(got->tokens);
      EXPECT_EQ(got->tokens->values, written[i].tokens->values);
    }
    const auto again = collection->Put(MakeWrite("r0", written[0].descriptor, "request0"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->replayed, complete > 0);
    EXPECT_EQ(again->revision, 1);
    database_.reset();
  }
  EXPECT_EQ(complete_before, written.size());
}

TEST_F(DatabaseTest, ADamagedCollectionCanBeDeleted) {
  Start();
  collection_.reset();
  database_.reset();
  ASSERT_TRUE(base::WriteFileDurably((FolderOf("shop") / "CURRENT").string(), "nonsense").ok());
  Open();
  ASSERT_EQ(database_->damaged().size(), 1u);
  EXPECT_EQ(Reason(database_->Find("shop").status()), "COLLECTION_DAMAGED");
  EXPECT_TRUE(fs::exists(FolderOf("shop")));
  EXPECT_EQ(*database_->Delete("shop"), 0);
  EXPECT_TRUE(database_->Create(config_).ok());
}

}  // namespace
}  // namespace sightline::index
