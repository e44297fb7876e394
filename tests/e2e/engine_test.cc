// What the index engine offers, over gRPC: filters, groups, pages, refinement, values, deleting by filter, and the
// kinds of index, each compared with a plain computation over the same vectors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kDim = 16;
constexpr int kImages = 600;

struct Image {
  std::string id;
  std::vector<float> vector;
  std::string brand;  // empty: it has none
  int64_t price;
};

class EngineTest : public ServerFixture {
 protected:
  static void SetUpTestSuite() {
    ServerFixture::SetUpTestSuite();
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    const std::vector<std::string> brands = {"acme", "zeta", "omega", ""};
    for (int i = 0; i < kImages; ++i) {
      Image image{absl::StrCat("i", i), {}, brands[static_cast<size_t>(i) % 4], i % 50};
      double norm = 0;
      for (int d = 0; d < kDim; ++d) {
        image.vector.push_back(normal(random));
        norm += static_cast<double>(image.vector.back()) * image.vector.back();
      }
      for (float& value : image.vector) value = static_cast<float>(value / std::sqrt(norm));
      images_.push_back(std::move(image));
    }
    Fill("auto", v1::CollectionSettings::INDEX_KIND_AUTO);
  }

  static void TearDownTestSuite() {
    images_.clear();
    ServerFixture::TearDownTestSuite();
  }

  static void Fill(const std::string& collection, v1::CollectionSettings::IndexKind kind) {
    v1::CreateCollectionRequest create = NewCollection(collection, kDim);
    create.mutable_settings()->set_index_kind(kind);
    ASSERT_TRUE(client_->CreateCollection(create).ok());
    size_t next = 0;
    const auto summary = client_->IndexMany(
        [&]() -> std::optional<v1::IndexRequest> {
          if (next == images_.size()) return std::nullopt;
          const Image& image = images_[next++];
          v1::IndexRequest request = NewImage(image.id, image.vector);
          request.set_collection(collection);
          auto& attributes = *request.mutable_item()->mutable_attributes();
          attributes["price"].set_int64_value(image.price);
          if (!image.brand.empty()) attributes["brand"].set_string_value(image.brand);
          return request;
        },
        [](const auto& outcome) { EXPECT_TRUE(outcome.status.ok()) << outcome.status; });
    ASSERT_TRUE(summary.ok()) << summary.status();
  }

  static double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (size_t d = 0; d < a.size(); ++d) sum += static_cast<double>(a[d]) * b[d];
    return sum;
  }

  // The ids of those that `takes`, best first.
  static std::vector<std::string> Best(const std::vector<float>& query,
                                       const std::function<bool(const Image&)>& takes) {
    std::vector<const Image*> found;
    for (const Image& image : images_) {
      if (takes(image)) found.push_back(&image);
    }
    std::stable_sort(found.begin(), found.end(), [&](const Image* a, const Image* b) {
      return Cosine(query, a->vector) > Cosine(query, b->vector);
    });
    std::vector<std::string> ids;
    for (const Image* image : found) ids.push_back(image->id);
    return ids;
  }
  static std::vector<std::string> First(std::vector<std::string> ids, size_t n) {
    ids.resize(std::min(n, ids.size()));
    return ids;
  }
  static std::vector<std::string> Ids(const v1::SearchResponse& response) {
    std::vector<std::string> ids;
    for (const auto& result : response.results()) ids.push_back(result.id());
    return ids;
  }
  static bool All(const Image&) { return true; }

  static v1::SearchRequest Ask(const std::vector<float>& query, const std::string& collection = "auto") {
    v1::SearchRequest request = NewSearch(query);
    request.set_collection(collection);
    return request;
  }
  static v1::SearchResponse Answer(const v1::SearchRequest& request) {
    auto response = client_->Search(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::SearchResponse());
  }

  inline static std::vector<Image> images_;
};

TEST_F(EngineTest, FiltersTakeWhatTheySay) {
  const std::vector<std::pair<std::string, std::function<bool(const Image&)>>> filters = {
      {"brand = \"acme\"", [](const Image& i) { return i.brand == "acme"; }},
      {"brand != \"acme\" AND brand EXISTS", [](const Image& i) { return !i.brand.empty() && i.brand != "acme"; }},
      {"price < 3 OR price >= 48", [](const Image& i) { return i.price < 3 || i.price >= 48; }},
      {"brand IN (\"acme\", \"zeta\") AND NOT price > 10",
       [](const Image& i) { return (i.brand == "acme" || i.brand == "zeta") && i.price <= 10; }},
      {"price = 7", [](const Image& i) { return i.price == 7; }},
      {"price = 1000", [](const Image&) { return false; }},
  };
  for (const auto& [filter, takes] : filters) {
    for (const int at : {0, 17, 599}) {
      const std::vector<float>& query = images_[static_cast<size_t>(at)].vector;
      v1::SearchRequest request = Ask(query);
      request.set_filter(filter);
      request.set_top_k(25);
      const v1::SearchResponse response = Answer(request);
      const std::vector<std::string> expected = Best(query, takes);
      EXPECT_EQ(Ids(response), First(expected, 25)) << filter;
      EXPECT_EQ(response.stats().images(), kImages);
      EXPECT_EQ(response.stats().matching(), static_cast<int64_t>(expected.size())) << filter;
      EXPECT_FALSE(response.stats().degraded());
    }
  }
}

TEST_F(EngineTest, GroupsKeepTheBestOfEachValue) {
  const std::vector<float>& query = images_[3].vector;
  std::map<std::string, int64_t> price_of;
  for (const Image& image : images_) price_of[image.id] = image.price;
  v1::SearchRequest request = Ask(query);
  request.set_group_by("price");
  request.set_group_size(2);
  request.set_top_k(60);
  std::vector<std::string> expected;
  std::map<int64_t, int> seen;
  for (const std::string& id : Best(query, All)) {
    if (++seen[price_of[id]] <= 2) expected.push_back(id);
  }
  EXPECT_EQ(Ids(Answer(request)), First(expected, 60));
}

TEST_F(EngineTest, PagesFollowEachOther) {
  const std::vector<float>& query = images_[5].vector;
  const std::vector<std::string> expected = Best(query, All);
  std::vector<std::string> found;
  for (int offset = 0; offset < kImages + 100; offset += 100) {
    v1::SearchRequest request = Ask(query);
    request.set_offset(offset);
    request.set_top_k(100);
    const v1::SearchResponse response = Answer(request);
    for (const auto& result : response.results()) {
      found.push_back(result.id());
      EXPECT_EQ(result.rank(), static_cast<int>(found.size()));
      EXPECT_EQ(result.rank_before_rerank(), result.rank());
      EXPECT_FALSE(result.has_rerank_score());
    }
  }
  EXPECT_EQ(found, expected);
  v1::SearchRequest most = Ask(query);
  most.set_top_k(1000);
  EXPECT_EQ(Ids(Answer(most)), expected);
}

TEST_F(EngineTest, ScoreStaysTheCosineWhateverOrders) {
  for (const auto method : {v1::QueryExpansion::METHOD_AVERAGE, v1::QueryExpansion::METHOD_ALPHA_WEIGHTED,
                            v1::QueryExpansion::METHOD_SUPER_GLOBAL, v1::QueryExpansion::METHOD_K_RECIPROCAL}) {
    SCOPED_TRACE(v1::QueryExpansion::Method_Name(method));
    const std::vector<float>& query = images_[9].vector;
    const std::vector<std::string> plain = Best(query, All);
    v1::SearchRequest request = Ask(query);
    request.mutable_expansion()->set_method(method);
    request.mutable_expansion()->set_neighbours(5);
    request.set_top_k(30);
    const v1::SearchResponse response = Answer(request);
    ASSERT_EQ(response.results_size(), 30);
    double last = std::numeric_limits<double>::infinity();
    for (const auto& result : response.results()) {
      const auto image =
          std::find_if(images_.begin(), images_.end(), [&](const Image& i) { return i.id == result.id(); });
      EXPECT_NEAR(result.score(), Cosine(query, image->vector), 1e-5) << result.id();
      ASSERT_TRUE(result.has_rerank_score());
      EXPECT_LE(result.rerank_score(), last + 1e-9) << "best first";
      last = result.rerank_score();
      ASSERT_GE(result.rank_before_rerank(), 1);
      EXPECT_EQ(plain[static_cast<size_t>(result.rank_before_rerank() - 1)], result.id());
    }
    EXPECT_EQ(response.results(0).id(), "i9") << "the image itself stays first";
  }
}

TEST_F(EngineTest, EveryKindOfIndexFindsTheSame) {
  Fill("hnsw", v1::CollectionSettings::INDEX_KIND_HNSW);
  Fill("ivf", v1::CollectionSettings::INDEX_KIND_IVF);
  for (const std::string collection : {"hnsw", "ivf"}) {
    SCOPED_TRACE(collection);
    const v1::Collection described = *client_->GetCollection(collection);
    EXPECT_EQ(described.stats().images(), kImages);
    EXPECT_FALSE(described.stats().index_choice().empty());
    int found = 0;
    for (int at = 0; at < 50; ++at) {
      const std::vector<float>& query = images_[static_cast<size_t>(at) * 11].vector;
      v1::SearchRequest request = Ask(query, collection);
      const std::vector<std::string> expected = First(Best(query, All), 10);
      request.set_exact(true);
      const v1::SearchResponse exact = Answer(request);
      EXPECT_EQ(Ids(exact), expected);
      EXPECT_EQ(exact.stats().index(), "exact");
      request.set_exact(false);
      request.set_ef_search(200);
      request.set_nprobe(64);
      for (const std::string& id : Ids(Answer(request))) {
        found += std::count(expected.begin(), expected.end(), id) > 0 ? 1 : 0;
      }
    }
    EXPECT_GE(found, 490) << "of 500";
    ASSERT_TRUE(client_->DeleteCollection(collection).ok());
  }
}

TEST_F(EngineTest, ValuesAreCountedInPages) {
  v1::ListAttributeValuesRequest request;
  request.set_collection("auto");
  request.set_key("brand");
  const auto brands = client_->ListAttributeValues(request);
  ASSERT_TRUE(brands.ok()) << brands.status();
  ASSERT_EQ(brands->values_size(), 3);
  for (const auto& value : brands->values()) EXPECT_EQ(value.count(), kImages / 4);

  request.set_key("price");
  request.set_page_size(20);
  std::map<int64_t, int64_t> counts;
  do {
    const auto page = client_->ListAttributeValues(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->values_size(), 20);
    for (const auto& value : page->values()) counts[value.value().int64_value()] += value.count();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(counts.size(), 50u);
  for (const auto& [price, count] : counts) EXPECT_EQ(count, kImages / 50) << price;

  request.clear_page_token();
  request.set_filter("brand = \"acme\" AND price < 2");
  const auto few = client_->ListAttributeValues(request);
  int64_t expected = 0;
  for (const Image& image : images_) expected += image.brand == "acme" && image.price < 2 ? 1 : 0;
  int64_t sum = 0;
  for (const auto& value : few->values()) sum += value.count();
  EXPECT_EQ(sum, expected);
  request.set_key("nobody");
  EXPECT_EQ(client_->ListAttributeValues(request)->values_size(), 0);
}

TEST_F(EngineTest, ListsAndDeletesByFilter) {
  Fill("shrinking", v1::CollectionSettings::INDEX_KIND_AUTO);
  v1::ListImagesRequest list;
  list.set_collection("shrinking");
  list.set_filter("brand = \"zeta\" AND price >= 10");
  list.set_page_size(7);
  std::vector<std::string> listed;
  do {
    const auto page = client_->ListImages(list);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& image : page->images()) listed.push_back(image.id());
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  std::vector<std::string> expected;
  for (const Image& image : images_) {
    if (image.brand == "zeta" && image.price >= 10) expected.push_back(image.id);
  }
  EXPECT_EQ(listed, expected) << "in the order of writing";

  v1::DeleteImagesRequest remove;
  remove.set_collection("shrinking");
  remove.set_filter(list.filter());
  const auto removed = client_->DeleteImages(remove);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->deleted(), static_cast<int64_t>(expected.size()));
  EXPECT_EQ(client_->DeleteImages(remove)->deleted(), 0);
  const std::vector<float>& query = images_[1].vector;
  v1::SearchRequest request = Ask(query, "shrinking");
  request.set_top_k(1000);
  EXPECT_EQ(Ids(Answer(request)), Best(query, [](const Image& i) { return i.brand != "zeta" || i.price < 10; }));
  ASSERT_TRUE(client_->DeleteCollection("shrinking").ok());
}

TEST_F(EngineTest, SettingsOfTheIndexAreKept) {
  v1::CreateCollectionRequest create = NewCollection("settings");
  create.mutable_settings()->set_index_kind(v1::CollectionSettings::INDEX_KIND_HNSW);
  create.mutable_settings()->set_hnsw_m(64);
  create.mutable_settings()->set_hnsw_ef_construction(1000);
  create.mutable_settings()->set_ivf_lists(65'536);
  const auto created = client_->CreateCollection(create);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->settings().index_kind(), v1::CollectionSettings::INDEX_KIND_HNSW);
  EXPECT_EQ(created->settings().hnsw_m(), 64);
  EXPECT_EQ(created->settings().hnsw_ef_construction(), 1000);
  EXPECT_EQ(created->settings().ivf_lists(), 65'536);
  ASSERT_TRUE(client_->DeleteCollection("settings").ok());
}

}  // namespace
}  // namespace sightline::testing
