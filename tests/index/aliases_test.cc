// Aliases: names that stand for a collection, durable, moved in one step, gone with their collection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "index/examine.h"
#include "index/store/aliases_file.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AliasesTest : public IndexTest {
 protected:
  // Beside "shop".
  void MakeSecond() {
    CollectionConfig second = config_;
    second.name = "shop-2";
    ASSERT_TRUE(database_->Create(second).ok());
  }
  std::string Behind(const std::string& name) const {
    const auto found = database_->Find(name);
    return found.ok() ? (*found)->config().name : base::GetErrorInfo(found.status()).reason;
  }
  static std::string Reason(const absl::Status& status) { return base::GetErrorInfo(status).reason; }
  std::string File() const { return options_.directory + "/aliases"; }
  // What a crash leaves: the files as they are now, to be opened as another directory.
  std::string CopyOfDirectory(const std::string& name) const {
    const std::string copy = absl::StrCat(folder_.path(), "/", name);
    std::filesystem::copy(options_.directory, copy, std::filesystem::copy_options::recursive);
    return copy;
  }
};

TEST_F(AliasesTest, StandForACollectionAndMove) {
  Start();
  MakeSecond();
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_FALSE(std::filesystem::exists(File()));
  const auto set = database_->SetAlias("live", "shop");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->config().name, "shop");
  ASSERT_TRUE(database_->SetAlias("all", "shop").ok());
  EXPECT_EQ(Behind("live"), "shop");
  EXPECT_THAT(database_->AliasesOf("shop"), ElementsAre("all", "live"));
  EXPECT_THAT(database_->AliasesOf("shop-2"), IsEmpty());
  EXPECT_EQ(database_->List().size(), 2u) << "an alias is no collection";

  // Setting it again moves it; to where it stands it changes nothing.
  ASSERT_TRUE(database_->SetAlias("live", "shop-2").ok());
  ASSERT_TRUE(database_->SetAlias("live", "shop-2").ok());
  EXPECT_EQ(Behind("live"), "shop-2");
  EXPECT_EQ(Behind("all"), "shop");
  Restart();
  EXPECT_EQ(Behind("live"), "shop-2");
  EXPECT_EQ(Behind("all"), "shop");
  ASSERT_TRUE(database_->DeleteAlias("all").ok());
  EXPECT_EQ(Behind("all"), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(Reason(database_->DeleteAlias("all")), "ALIAS_NOT_FOUND");
  Restart();
  EXPECT_EQ(Behind("all"), "COLLECTION_NOT_FOUND");
  EXPECT_THAT(database_->AliasesOf("shop-2"), ElementsAre("live"));
  const auto lines = ExamineDirectory(options_.directory, options_.limits);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const Examined& line) {
    return line.what == "aliases" && line.status.ok() && line.found == "1 alias";
  }));
}

TEST_F(AliasesTest, AreRefusedWhereTheyWouldMislead) {
  Start();
  MakeSecond();
  ASSERT_TRUE(database_->SetAlias("live", "shop").ok());
  EXPECT_EQ(Reason(database_->SetAlias("shop-2", "shop").status()), "COLLECTION_EXISTS");
  EXPECT_EQ(Reason(database_->SetAlias("shop", "shop").status()), "COLLECTION_EXISTS");
  EXPECT_EQ(Reason(database_->SetAlias("other", "live").status()), "ALIAS_NOT_A_COLLECTION");
  EXPECT_EQ(Reason(database_->SetAlias("other", "none").status()), "COLLECTION_NOT_FOUND");
  for (const std::string& bad :
       {std::string(), std::string(65, 'a'), std::string("-a"), std::string("A"), std::string("a/../b"),
        std::string("a\0b", 3), std::string("\xff\xfe"), std::string(1 << 20, 'x')}) {
    EXPECT_EQ(Reason(database_->SetAlias(bad, "shop").status()), "ALIAS_INVALID") << bad.size();
    EXPECT_EQ(Reason(database_->DeleteAlias(bad)), "ALIAS_NOT_FOUND") << bad.size();
  }
  // Only the collection's own name deletes it; other methods of own names do not know the alias.
  EXPECT_EQ(Reason(database_->Delete("live").status()), "ALIAS_REFUSED");
  EXPECT_EQ(Reason(database_->DeleteAlias("shop")), "ALIAS_NOT_FOUND");
  CollectionConfig named = config_;
  named.name = "live";
  EXPECT_EQ(Reason(database_->Create(named).status()), "ALIAS_EXISTS");
  const auto snapshot = database_->CreateSnapshot("shop", nullptr);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(Reason(database_->RestoreSnapshot(snapshot->name, "live", nullptr).status()), "ALIAS_EXISTS");
  EXPECT_EQ(Behind("live"), "shop");
  // A name that is free again may be a collection's.
  ASSERT_TRUE(database_->DeleteAlias("live").ok());
  EXPECT_TRUE(database_->Create(named).ok());
}

TEST_F(AliasesTest, GoWithTheirCollection) {
  Start();
  MakeSecond();
  ASSERT_TRUE(database_->SetAlias("live", "shop").ok());
  ASSERT_TRUE(database_->SetAlias("second", "shop-2").ok());
  // As a crash just after the folder was moved away leaves it: the file still has the alias.
  const std::string stale = *base::ReadFile(File(), 1 << 20);
  collection_.reset();
  ASSERT_TRUE(database_->Delete("shop").ok());
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(DecodeAliases(*base::ReadFile(File(), 1 << 20))->size(), 1u);
  database_.reset();
  ASSERT_TRUE(base::WriteFileDurably(File(), stale).ok());
  Open();
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(Behind("second"), "shop-2");
  // A new collection of the old name does not get the old one's aliases, now or after a restart.
  ASSERT_TRUE(database_->Create(config_).ok());
  Restart();
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(Behind("second"), "shop-2");
}

// The file cannot be written: nothing changes, and aliases of a deleted collection do not come back by a new one.
TEST_F(AliasesTest, ADiskThatRefusesChangesNothing) {
  Start();
  MakeSecond();
  ASSERT_TRUE(database_->SetAlias("live", "shop").ok());
  const std::string before = *base::ReadFile(File(), 1 << 20);
  // A folder with something in it cannot be replaced by a file.
  std::filesystem::remove(File());
  std::filesystem::create_directories(File() + "/in-the-way");
  EXPECT_FALSE(database_->SetAlias("live", "shop-2").ok());
  EXPECT_FALSE(database_->SetAlias("new", "shop-2").ok());
  EXPECT_FALSE(database_->DeleteAlias("live").ok());
  EXPECT_EQ(Behind("live"), "shop");
  EXPECT_EQ(Behind("new"), "COLLECTION_NOT_FOUND");
  collection_.reset();
  ASSERT_TRUE(database_->Delete("shop").ok());
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_FALSE(database_->Create(config_).ok()) << "its aliases could come back by it";
  std::filesystem::remove_all(File());
  ASSERT_TRUE(base::WriteFileDurably(File(), before).ok());
  ASSERT_TRUE(database_->Create(config_).ok());
  Restart();
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  // The name was not left reserved.
  EXPECT_TRUE(database_->SetAlias("new", "shop-2").ok());
}

TEST_F(AliasesTest, ADamagedFileIsSetAsideAndSaid) {
  Start();
  ASSERT_TRUE(database_->SetAlias("live", "shop").ok());
  const std::string good = *base::ReadFile(File(), 1 << 20);
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x41);
    EXPECT_FALSE(DecodeAliases(bad).ok()) << at;
    EXPECT_FALSE(DecodeAliases(good.substr(0, at)).ok()) << at;
  }
  EXPECT_EQ(database_->aliases_set_aside(), "");
  collection_.reset();
  database_.reset();
  ASSERT_TRUE(base::WriteFileDurably(File(), good.substr(0, good.size() - 1)).ok());
  Open();
  EXPECT_THAT(database_->aliases_set_aside(), HasSubstr("/aliases.damaged-"));
  EXPECT_TRUE(std::filesystem::exists(database_->aliases_set_aside()));
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_EQ(Behind("shop"), "shop");
  ASSERT_TRUE(database_->SetAlias("live", "shop").ok());
  Restart();
  EXPECT_EQ(Behind("live"), "shop");
  EXPECT_EQ(database_->aliases_set_aside(), "");
}

// A folder put in the place of an alias's name by hand: the collection has the name.
TEST_F(AliasesTest, ACollectionOfTheSameNameWins) {
  Start();
  MakeSecond();
  collection_.reset();
  database_.reset();
  ASSERT_TRUE(base::WriteFileDurably(File(), EncodeAliases({{"shop-2", "shop"}, {"live", "none"}})).ok());
  Open();
  EXPECT_EQ(Behind("shop-2"), "shop-2");
  EXPECT_EQ(Behind("live"), "COLLECTION_NOT_FOUND");
  EXPECT_THAT(database_->AliasesOf("shop"), IsEmpty());
  EXPECT_TRUE(DecodeAliases(*base::ReadFile(File(), 1 << 20))->empty()) << "the file is tidied";
}

// Searches by the alias while it moves, again and again: the one or the other, never neither.
TEST_F(AliasesTest, MoveUnderSearches) {
  Start();
  MakeSecond();
  ASSERT_TRUE(database_->SetAlias("live", "shop").ok());
  std::atomic<bool> stop = false;
  std::atomic<int> first = 0, second = 0, lost = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const std::string name = Behind("live");
        ++(name == "shop" ? first : name == "shop-2" ? second : lost);
        (void)database_->AliasesOf("shop");
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(database_->SetAlias("live", i % 2 == 0 ? "shop-2" : "shop").ok());
    // Others are made and go meanwhile.
    CollectionConfig other = config_;
    other.name = "passing";
    if (i % 10 == 0) {
      EXPECT_TRUE(database_->Create(other).ok());
      EXPECT_TRUE(database_->SetAlias("also-passing", "passing").ok());
      EXPECT_TRUE(database_->Delete("passing").ok());
    }
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GT(first, 0);
  EXPECT_GT(second, 0);
}

// Threads that set, move and delete aliases and their collections against each other: afterwards memory and file agree.
TEST_F(AliasesTest, ChangesAgainstEachOther) {
  Start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 15; ++i) {
        CollectionConfig mine = config_;
        mine.name = absl::StrCat("c", random() % 3);
        const std::string alias = absl::StrCat("a", random() % 3);
        switch (random() % 4) {
          case 0: (void)database_->Create(mine).ok(); break;
          case 1: (void)database_->Delete(mine.name).ok(); break;
          case 2: (void)database_->SetAlias(alias, mine.name).ok(); break;
          default: (void)database_->DeleteAlias(alias).ok(); break;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto all = [this] {
    std::vector<std::string> names;
    for (const auto& collection : database_->List()) {
      for (const std::string& alias : database_->AliasesOf(collection->config().name)) {
        names.push_back(absl::StrCat(alias, "=", collection->config().name));
      }
    }
    return names;
  };
  const std::vector<std::string> before = all();
  Restart();
  EXPECT_EQ(all(), before);
}

}  // namespace
}  // namespace sightline::index
