/** What is typed into both shells. @ is a znode of the shell's own, SUPER the super user's name and password. */

/** Every form of every command that does something. */
export const everyForm = (release: string): string => `
create @ one
create -s @/s- two
create -e @/e mine
create -s -e @/se- more
create -c @/container
create -t 60000 @/ttl x
create -s -t 60000 @/ttls- x
create @/acl data world:anyone:cdrwa,ip:127.0.0.1:rw
create @/empty
create @/quoted "two words"
create @/single 'two words'
ls @
ls -s @
ls -R @
ls -w @
get @
get -s @
get -w @
get @/empty
get -s -w @/empty
${release === "3.8" ? "" : "get -b @\nget -x @\nget -s -b @\nset -b @ dHdv\nset -s -b @ dGhyZWU=\nget -x @/quoted"}
set @ 1
set -s @ 2
set -v 2 @/e x
stat @/e
stat -w @/e
set @/e changed
sync @
getAcl @/acl
getAcl -s @/acl
setAcl @/acl world:anyone:cdrwa
setAcl -s @/acl world:anyone:rwcda
setAcl -v 2 @/acl world:anyone:cdrwa
setAcl -R @ world:anyone:cdrwa
setAcl -s -R @/acl world:anyone:cdrwa
getEphemerals
getEphemerals @
getEphemerals @/none
getAllChildrenNumber @
sync @
sync @/none
whoami
addauth digest u:p
whoami
addWatch @/acl
addWatch -m PERSISTENT @/e
addWatch -m PERSISTENT_RECURSIVE @/empty
create @/empty/child
set @/e again
sync @
${release === "3.8" ? "" : "removewatches @/acl -r\nremovewatches @/e -p"}
removewatches @/empty -a
removewatches @ -c
sync @
printwatches
printwatches off
printwatches
get -w @/single
set @/single unseen
sync @
printwatches on
printwatches
setquota -n 100 @
setquota -b 1000 @
setquota -N 200 @
setquota -B 2000 @
listquota @
setquota -n 2 @
setquota -b 3 @
listquota @
get @
delquota -n @
delquota -b @
delquota -N @
delquota -B @
listquota @
delquota @
listquota @
delquota @
config
config -s
config -c
config -w
config -s -c
addauth digest SUPER
reconfig -remove 9
reconfig -s -remove 9
reconfig -v 7 -remove 9
create @/deep
create @/deep/a
create @/deep/a/b
create @/deep/c
deleteall @/deep -b 2
history
redo 0
redo 12
history
version
delete @/quoted
delete -v 1 @/single
ls @
deleteall @
ls /
`

/** What cannot be. What ends ZooKeeper's shell with an exception is not among it. */
export const mistakes = `
create
create -c -e @
create -c -s @
create -t 0 @
create -t -1 @
create -t x @
create -e -t 5 @
create -c -t 5 @
create @
create -e @/e
create @/e/child
create @/
create relative
create @/x data bad:anyone:r
delete
delete -v 9 @
delete @/none
delete @
deleteall
deleteall @/none
deleteall @ -b x
set @
set -v 9 @ data
set @/none data
get
get @/none
get relative
ls
ls @/none
ls -R @/none
stat
stat @/none
stat -w @/none
getAcl
getAcl @/none
getAcl relative
setAcl @
setAcl @ world:nobody:r
setAcl -v 9 @ world:anyone:cdrwa
setAcl @/none world:anyone:r
addauth
addWatch
removewatches
removewatches @
removewatches @ -d
getEphemerals relative
getAllChildrenNumber
getAllChildrenNumber @/none
sync
setquota -n x @
setquota -n 5 @/none
setquota -n 5 /zookeeper/quota/x
listquota
listquota @/none
delquota
delquota @/none
reconfig -add x
reconfig -add server.9=h:1:2;3 -members server.1=h:1:2;3
reconfig -v x -remove 1
redo 999
redo 5
history
printwatches maybe
printwatches
unknown
close
ls /
connect
ls @
delete @/e
delete @
`
