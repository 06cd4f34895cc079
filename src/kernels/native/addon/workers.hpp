// Threads that share the tasks of one kernel call with the thread that makes it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace aegis {

class Workers {
 public:
  /** `threads` counts the calling thread; fewer are started when the system gives no more. */
  explicit Workers(int threads) {
    for (int i = 1; i < threads; i++) {
      try {
        threads_.emplace_back([this, i] { work(i); });
      } catch (...) {
        break;
      }
    }
  }
  ~Workers() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int count() const { return static_cast<int>(threads_.size()) + 1; }

  /** body(task, thread) for every task below `tasks`; returns when all are done. */
  template <class Body>
  void run(std::size_t tasks, Body body) {
    if (threads_.empty() || tasks < 2) {
      for (std::size_t task = 0; task < tasks; task++) body(task, 0);
      return;
    }
    call_ = [](void* context, std::size_t task, int thread) { (*static_cast<Body*>(context))(task, thread); };
    context_ = &body;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    const std::uint64_t round = (gate_.load(std::memory_order_relaxed) >> 32) + 1;
    gate_.store(round << 32 | open);
    if (sleeping_.load() > 0) {
      // Whoever is about to sleep holds the lock until it does.
      { std::lock_guard<std::mutex> lock(mutex_); }
      wake_.notify_all();
    }
    share(0);
    // A thread that comes later finds the gate closed; those inside are waited for.
    gate_.fetch_and(~open);
    while ((gate_.load(std::memory_order_acquire) & inside) != 0) pause();
  }

 private:
  /** Looks at a counter this often before sleeping: some tens of microseconds, longer than JavaScript takes between kernels. */
  static constexpr int spins = 2000;

  static constexpr std::uint64_t open = std::uint64_t{1} << 31;
  static constexpr std::uint64_t inside = open - 1;

  static void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void share(int thread) {
    while (true) {
      const std::size_t task = next_.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks_) return;
      call_(context_, task, thread);
    }
  }

  /** Whether there is a round that this thread has not seen. */
  bool calls(std::uint64_t seen) const {
    const std::uint64_t gate = gate_.load(std::memory_order_acquire);
    return (gate & open) != 0 && gate >> 32 != seen;
  }

  /** Goes in while the gate is open; false when it was closed meanwhile. */
  bool enter(std::uint64_t& seen) {
    std::uint64_t gate = gate_.load(std::memory_order_acquire);
    while ((gate & open) != 0) {
      if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel)) {
        seen = gate >> 32;
        return true;
      }
    }
    return false;
  }

  void work(int thread) {
    std::uint64_t seen = 0;
    while (true) {
      for (int spin = 0; spin < spins && !calls(seen); spin++) pause();
      if (!calls(seen)) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleeping_.fetch_add(1);
        wake_.wait(lock, [&] { return stopping_ || calls(seen); });
        sleeping_.fetch_sub(1);
        if (stopping_) return;
      }
      if (!enter(seen)) continue;
      share(thread);
      gate_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  /** Number of the round in the high word, whether it is open, and how many threads are inside. */
  std::atomic<std::uint64_t> gate_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<std::size_t> next_{0};
  std::size_t tasks_ = 0;
  void (*call_)(void*, std::size_t, int) = nullptr;
  void* context_ = nullptr;
};

}  // namespace aegis
