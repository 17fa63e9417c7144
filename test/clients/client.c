/*
 * The C client's daily work: client host:port,host:port
 * Each check prints its name; the first that fails says where, and the exit code is 1.
 */
#define THREADED
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#define WAIT_SECONDS 30
#define PIPELINED 2000
#define MAX_EVENTS 64

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition);    \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

#define OK(call)                                                                          \
  do {                                                                                    \
    int rc_ = (call);                                                                     \
    if (rc_ != ZOK) {                                                                     \
      fprintf(stderr, "FAILED %s:%d: %s: %s\n", __FILE__, __LINE__, #call, zerror(rc_));  \
      exit(1);                                                                            \
    }                                                                                     \
  } while (0)

/* What a handle's watchers have seen. */
struct seen {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int state;
  int reconnects;
  int count;
  int types[MAX_EVENTS];
  char paths[MAX_EVENTS][256];
};

static const char *hosts;
static char root[128];

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {
  struct seen *seen = context;
  (void)zh;
  pthread_mutex_lock(&seen->lock);
  if (type == ZOO_SESSION_EVENT) {
    if (state == ZOO_CONNECTED_STATE && seen->state != state) seen->reconnects++;
    seen->state = state;
  } else if (seen->count < MAX_EVENTS) {
    seen->types[seen->count] = type;
    snprintf(seen->paths[seen->count], sizeof seen->paths[0], "%s", path);
    seen->count++;
  }
  pthread_cond_broadcast(&seen->changed);
  pthread_mutex_unlock(&seen->lock);
}

static int state_is(struct seen *seen, int wanted) { return seen->state == wanted; }
static int count_is(struct seen *seen, int wanted) { return seen->count >= wanted; }
static int connected_times(struct seen *seen, int wanted) {
  return seen->reconnects >= wanted && seen->state == ZOO_CONNECTED_STATE;
}

static void await(struct seen *seen, int (*condition)(struct seen *, int), int wanted, const char *what) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_SECONDS;
  pthread_mutex_lock(&seen->lock);
  while (!condition(seen, wanted)) {
    if (pthread_cond_timedwait(&seen->changed, &seen->lock, &until) == ETIMEDOUT) {
      fprintf(stderr, "FAILED: waited %d s for %s\n", WAIT_SECONDS, what);
      exit(1);
    }
  }
  pthread_mutex_unlock(&seen->lock);
}

static void seen_init(struct seen *seen) {
  memset(seen, 0, sizeof *seen);
  pthread_mutex_init(&seen->lock, NULL);
  pthread_cond_init(&seen->changed, NULL);
}

static zhandle_t *open_session(struct seen *seen, const clientid_t *id) {
  seen_init(seen);
  zhandle_t *zh = zookeeper_init(hosts, watcher, 10000, id, seen, 0);
  CHECK(zh != NULL);
  await(seen, state_is, ZOO_CONNECTED_STATE, "the connection");
  return zh;
}

static const char *in_root(const char *name) {
  static char paths[8][256];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", root, name);
  return path;
}

static void create(zhandle_t *zh, const char *name, const char *data, int flags, char *made, int made_size) {
  OK(zoo_create(zh, in_root(name), data, data == NULL ? -1 : (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, flags, made, made_size));
}

static void basics(zhandle_t *zh) {
  char made[256], made2[256], data[256];
  int length;
  struct Stat stat;
  create(zh, "n", "hello", 0, made, sizeof made);
  CHECK(strcmp(made, in_root("n")) == 0);
  length = sizeof data;
  OK(zoo_get(zh, in_root("n"), 0, data, &length, &stat));
  CHECK(length == 5 && memcmp(data, "hello", 5) == 0);
  CHECK(stat.version == 0 && stat.dataLength == 5 && stat.numChildren == 0 && stat.czxid == stat.mzxid);
  OK(zoo_set2(zh, in_root("n"), "bye", 3, 0, &stat));
  CHECK(stat.version == 1 && stat.dataLength == 3 && stat.mzxid > stat.czxid);
  CHECK(zoo_set(zh, in_root("n"), "late", 4, 0) == ZBADVERSION);
  CHECK(zoo_exists(zh, in_root("none"), 0, &stat) == ZNONODE);
  CHECK(zoo_create(zh, in_root("n"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNODEEXISTS);
  CHECK(zoo_create(zh, in_root("none/child"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNONODE);

  /* No data at all is not the same as none of it. */
  create(zh, "null", NULL, 0, NULL, 0);
  length = sizeof data;
  OK(zoo_get(zh, in_root("null"), 0, data, &length, &stat));
  CHECK(length == -1 && stat.dataLength == 0);
  create(zh, "empty", "", 0, NULL, 0);
  length = sizeof data;
  OK(zoo_get(zh, in_root("empty"), 0, data, &length, &stat));
  CHECK(length == 0);

  create(zh, "s-", "", ZOO_SEQUENCE, made, sizeof made);
  create(zh, "s-", "", ZOO_SEQUENCE | ZOO_EPHEMERAL, made2, sizeof made2);
  CHECK(atoi(made2 + strlen(made2) - 10) == atoi(made + strlen(made) - 10) + 1);
  OK(zoo_exists(zh, made2, 0, &stat));
  CHECK(stat.ephemeralOwner == zoo_client_id(zh)->client_id);
  CHECK(zoo_create(zh, strcat(made2, "/c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0) == ZNOCHILDRENFOREPHEMERALS);

  OK(zoo_create2(zh, in_root("two"), "12", 2, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made, &stat));
  CHECK(stat.dataLength == 2 && stat.version == 0);

  create(zh, "n/a", "", 0, NULL, 0);
  create(zh, "n/b", "", 0, NULL, 0);
  struct String_vector children;
  OK(zoo_get_children2(zh, in_root("n"), 0, &children, &stat));
  CHECK(children.count == 2 && stat.numChildren == 2 && stat.cversion == 2);
  deallocate_String_vector(&children);
  CHECK(zoo_delete(zh, in_root("n"), -1) == ZNOTEMPTY);
  CHECK(zoo_delete(zh, in_root("n/a"), 3) == ZBADVERSION);
  OK(zoo_delete(zh, in_root("n/a"), 0));
  OK(zoo_get_children(zh, in_root("n"), 0, &children));
  CHECK(children.count == 1 && strcmp(children.data[0], "b") == 0);
  deallocate_String_vector(&children);
  printf("ok basics\n");
}

static void multi(zhandle_t *zh) {
  zoo_op_t ops[5];
  zoo_op_result_t results[5];
  char made[256], made2[256];
  struct Stat stat;
  create(zh, "m", "", 0, NULL, 0);
  zoo_create_op_init(&ops[0], in_root("m/a"), "a", 1, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
  zoo_create_op_init(&ops[1], in_root("m/a/s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, made2, sizeof made2);
  zoo_set_op_init(&ops[2], in_root("m"), "set", 3, 0, &stat);
  zoo_check_op_init(&ops[3], in_root("m"), 1);
  zoo_delete_op_init(&ops[4], in_root("m/a/s-0000000000"), 0);
  OK(zoo_multi(zh, 5, ops, results));
  for (int i = 0; i < 5; i++) CHECK(results[i].err == ZOK);
  CHECK(strcmp(made2, in_root("m/a/s-0000000000")) == 0 && stat.version == 1);
  CHECK(zoo_exists(zh, in_root("m/a/s-0000000000"), 0, &stat) == ZNONODE);

  zoo_create_op_init(&ops[0], in_root("m/never"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
  zoo_check_op_init(&ops[1], in_root("m"), 9);
  zoo_delete_op_init(&ops[2], in_root("m/a"), -1);
  CHECK(zoo_multi(zh, 3, ops, results) == ZBADVERSION);
  CHECK(results[0].err == ZOK && results[1].err == ZBADVERSION && results[2].err == ZRUNTIMEINCONSISTENCY);
  CHECK(zoo_exists(zh, in_root("m/never"), 0, &stat) == ZNONODE);
  OK(zoo_exists(zh, in_root("m/a"), 0, &stat));
  printf("ok multi\n");
}

struct pipeline {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int sets;
  int gets;
};

static void on_set(int rc, const struct Stat *stat, const void *context) {
  struct pipeline *pipe = (struct pipeline *)context;
  CHECK(rc == ZOK);
  pthread_mutex_lock(&pipe->lock);
  pipe->sets++;
  CHECK(stat->version == pipe->sets);
  pthread_mutex_unlock(&pipe->lock);
}

static void on_get(int rc, const char *value, int length, const struct Stat *stat, const void *context) {
  struct pipeline *pipe = (struct pipeline *)context;
  CHECK(rc == ZOK && length > 0 && value != NULL);
  pthread_mutex_lock(&pipe->lock);
  pipe->gets++;
  /* The write that was sent before this read has been answered, and is what is read. */
  CHECK(pipe->sets == pipe->gets && stat->version == pipe->gets && atoi(value) == pipe->gets);
  pthread_cond_broadcast(&pipe->changed);
  pthread_mutex_unlock(&pipe->lock);
}

static void pipelining(zhandle_t *zh) {
  struct pipeline pipe;
  char path[256];
  memset(&pipe, 0, sizeof pipe);
  pthread_mutex_init(&pipe.lock, NULL);
  pthread_cond_init(&pipe.changed, NULL);
  create(zh, "p", "0", 0, path, sizeof path);
  for (int i = 1; i <= PIPELINED; i++) {
    char value[16];
    OK(zoo_aset(zh, path, value, snprintf(value, sizeof value, "%d", i) + 1, -1, on_set, &pipe));
    OK(zoo_aget(zh, path, 0, on_get, &pipe));
  }
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_SECONDS;
  pthread_mutex_lock(&pipe.lock);
  while (pipe.gets < PIPELINED) CHECK(pthread_cond_timedwait(&pipe.changed, &pipe.lock, &until) == 0);
  pthread_mutex_unlock(&pipe.lock);
  printf("ok pipelining\n");
}

static void expect_event(struct seen *seen, int index, int type, const char *path) {
  await(seen, count_is, index + 1, "a watch to fire");
  CHECK(seen->types[index] == type);
  CHECK(strcmp(seen->paths[index], path) == 0);
}

static void watches(zhandle_t *zh, zhandle_t *other) {
  struct seen seen;
  struct Stat stat;
  char path[256], data[64];
  int length = sizeof data;
  struct String_vector children;
  seen_init(&seen);
  snprintf(path, sizeof path, "%s", in_root("w"));
  CHECK(zoo_wexists(zh, path, watcher, &seen, &stat) == ZNONODE);
  create(other, "w", "1", 0, NULL, 0);
  expect_event(&seen, 0, ZOO_CREATED_EVENT, path);
  OK(zoo_wget(zh, path, watcher, &seen, data, &length, &stat));
  OK(zoo_set(other, path, "2", 1, -1));
  expect_event(&seen, 1, ZOO_CHANGED_EVENT, path);
  OK(zoo_wget_children(zh, path, watcher, &seen, &children));
  deallocate_String_vector(&children);
  create(other, "w/c", "", 0, NULL, 0);
  expect_event(&seen, 2, ZOO_CHILD_EVENT, path);
  OK(zoo_delete(other, in_root("w/c"), -1));
  OK(zoo_wexists(zh, path, watcher, &seen, &stat));
  OK(zoo_delete(other, path, -1));
  expect_event(&seen, 3, ZOO_DELETED_EVENT, path);
  CHECK(seen.count == 4);
  printf("ok watches\n");
}

/* Cuts the handle's connection from outside, so that it goes on to the next server. */
static void cut(zhandle_t *zh) {
  struct sockaddr_in own, theirs;
  socklen_t size = sizeof own;
  CHECK(zookeeper_get_connected_host(zh, (struct sockaddr *)&own, &size) != NULL);
  for (int fd = 3; fd < 256; fd++) {
    size = sizeof theirs;
    if (getpeername(fd, (struct sockaddr *)&theirs, &size) == 0 && theirs.sin_family == AF_INET &&
        theirs.sin_port == own.sin_port) {
      shutdown(fd, SHUT_RDWR);
    }
  }
}

static void reconnect(zhandle_t *zh, struct seen *session, zhandle_t *other) {
  struct seen seen;
  struct Stat stat;
  char path[256], data[64];
  int length = sizeof data;
  struct String_vector children;
  int64_t id = zoo_client_id(zh)->client_id;
  seen_init(&seen);
  create(zh, "r", "1", 0, path, sizeof path);
  create(zh, "r-mine", "", ZOO_EPHEMERAL, NULL, 0);
  OK(zoo_wget(zh, path, watcher, &seen, data, &length, &stat));
  OK(zoo_wget_children(zh, path, watcher, &seen, &children));
  deallocate_String_vector(&children);
  CHECK(zoo_wexists(zh, in_root("r-later"), watcher, &seen, &stat) == ZNONODE);
  int before = session->reconnects;
  cut(zh);
  await(session, connected_times, before + 1, "the connection again");
  CHECK(zoo_client_id(zh)->client_id == id);
  CHECK(seen.count == 0);
  /* The watches have been set again at the new connection. */
  OK(zoo_set(other, path, "2", 1, -1));
  expect_event(&seen, 0, ZOO_CHANGED_EVENT, path);
  create(other, "r/c", "", 0, NULL, 0);
  expect_event(&seen, 1, ZOO_CHILD_EVENT, path);
  create(other, "r-later", "", 0, NULL, 0);
  expect_event(&seen, 2, ZOO_CREATED_EVENT, in_root("r-later"));
  OK(zoo_exists(other, in_root("r-mine"), 0, &stat));
  CHECK(stat.ephemeralOwner == id);
  printf("ok reconnect\n");
}

static void sessions(void) {
  struct seen seen, again, wrong;
  struct Stat stat;
  zhandle_t *first = open_session(&seen, NULL);
  clientid_t id = *zoo_client_id(first);
  create(first, "session", "", ZOO_EPHEMERAL, NULL, 0);

  /* Another handle takes the session over, and ends it. */
  zhandle_t *second = open_session(&again, &id);
  CHECK(zoo_client_id(second)->client_id == id.client_id);
  OK(zoo_exists(second, in_root("session"), 0, &stat));

  clientid_t forged = id;
  forged.passwd[0] ^= 1;
  seen_init(&wrong);
  zhandle_t *third = zookeeper_init(hosts, watcher, 10000, &forged, &wrong, 0);
  await(&wrong, state_is, ZOO_EXPIRED_SESSION_STATE, "the refusal of a wrong password");
  zookeeper_close(third);

  OK(zookeeper_close(second));
  await(&seen, state_is, ZOO_EXPIRED_SESSION_STATE, "the first handle to learn that the session is closed");
  zookeeper_close(first);

  zhandle_t *last = open_session(&again, NULL);
  CHECK(zoo_exists(last, in_root("session"), 0, &stat) == ZNONODE);
  OK(zookeeper_close(last));
  printf("ok sessions\n");
}

int main(int argc, char **argv) {
  struct seen seen, other_seen;
  if (argc != 2) {
    fprintf(stderr, "usage: %s host:port,host:port\n", argv[0]);
    return 2;
  }
  hosts = argv[1];
  setvbuf(stdout, NULL, _IOLBF, 0);
  zoo_set_debug_level((ZooLogLevel)0); /* Lost connections are made on purpose here. */
  zhandle_t *zh = open_session(&seen, NULL);
  zhandle_t *other = open_session(&other_seen, NULL);
  snprintf(root, sizeof root, "/c-client-%d-%ld", (int)getpid(), (long)time(NULL));
  OK(zoo_create(zh, root, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
  basics(zh);
  multi(zh);
  pipelining(zh);
  watches(zh, other);
  reconnect(zh, &seen, other);
  sessions();
  OK(zookeeper_close(zh));
  OK(zookeeper_close(other));
  printf("all passed\n");
  return 0;
}
