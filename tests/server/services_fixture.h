// ServicesTest: the services over a fake collection "shop" of the embedding space "space", without gRPC.
#ifndef SIGHTLINE_TESTS_SERVER_SERVICES_FIXTURE_H_
#define SIGHTLINE_TESTS_SERVER_SERVICES_FIXTURE_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "server/operations.h"
#include "server/services/optimize.h"
#include "server/services/search_service.h"
#include "tests/support/fake_index.h"
#include "tests/support/temp_folder.h"

namespace sightline::server {

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest()
      : collection_(std::make_shared<testing::FakeCollection>("shop")),
        database_(collection_),
        embedder_({}, limits_, metrics_),
        models_({.root = folder_.path()}, limits_, metrics_),
        operations_(
            *Operations::Open({.directory = folder_.path(), .repeatable = {{kOptimizeKind, MakeOptimize(database_)}}})),
        workers_({.name = "workers", .threads = 1, .max_queue = 16, .on_thread_start = {}}),
        loader_({.name = "loader", .threads = 1, .max_queue = 4, .on_thread_start = {}}),
        context_{database_, models_, embedder_, *operations_, workers_, loader_, limits_, metrics_, facts_} {}

  // Calls a method of a service and waits for its answer; `thread` tells whether it came on this thread.
  template <typename Service, typename Message, typename Reply>
  absl::Status Call(Service& service,
                    void (Service::*method)(const RequestPtr&, const Message&, Reply*,
                                            std::function<void(absl::Status)>),
                    const Message& message, Reply* reply, bool* inline_answer = nullptr) {
    return Call(std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + std::chrono::seconds(20)),
                service, method, message, reply, inline_answer);
  }
  template <typename Service, typename Message, typename Reply>
  absl::Status Call(const RequestPtr& request, Service& service,
                    void (Service::*method)(const RequestPtr&, const Message&, Reply*,
                                            std::function<void(absl::Status)>),
                    const Message& message, Reply* reply, bool* inline_answer = nullptr) {
    std::promise<std::pair<absl::Status, std::thread::id>> answer;
    (service.*method)(request, message, reply, [&](absl::Status status) {
      answer.set_value({std::move(status), std::this_thread::get_id()});
    });
    const auto [status, thread] = answer.get_future().get();
    if (inline_answer != nullptr) *inline_answer = thread == std::this_thread::get_id();
    return status;
  }

  static v1::SearchRequest NewSearch() {
    v1::SearchRequest request;
    request.set_collection("shop");
    auto* vector = request.mutable_query()->add_parts()->mutable_global_descriptor();
    for (const float value : {0.f, 3.f, 4.f, 0.f}) vector->add_values(value);
    vector->set_embedding_space("space");
    return request;
  }
  absl::Status Search(const v1::SearchRequest& request, v1::SearchResponse* reply, bool* inline_answer = nullptr) {
    SearchService service(context_);
    return Call(service, &SearchService::Search, request, reply, inline_answer);
  }

  testing::TempFolder folder_;
  Limits limits_;
  Metrics metrics_;
  ServerFacts facts_;
  std::shared_ptr<testing::FakeCollection> collection_;
  testing::FakeDatabase database_;
  Embedder embedder_;
  ModelHub models_;
  std::unique_ptr<Operations> operations_;
  base::ThreadPool workers_;
  base::ThreadPool loader_;
  ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_TESTS_SERVER_SERVICES_FIXTURE_H_
